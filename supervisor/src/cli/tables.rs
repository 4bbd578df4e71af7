//! Answers for people.

use actors::record::escape;
use policy::maturity::Maturity;

use crate::api::{Attestation, ServiceStatus, Status};

pub(super) fn status(status: &Status) {
    println!("enforcement  {}", status.enforcement);
    if let Some(why) = &status.switched_off {
        println!("             SWITCHED OFF, nothing is enforced: {why}");
        println!("             `bartizan on` enforces again");
    }
    println!("revision     {}", status.revision);
    println!("kernel       {}", status.kernel);
    let attached = status.hooks.iter().filter(|hook| hook.attached).count();
    println!("hooks        {attached} of {} attached", status.hooks.len());
    for hook in status.hooks.iter().filter(|hook| !hook.attached) {
        println!("             NOT attached: {}", hook.name);
    }
    for difference in &status.differences {
        println!("difference   {difference}");
    }
    for (kind, count) in status.loss.iter().filter(|(_, count)| **count > 0) {
        println!("loss         {kind}: {count}");
    }
    for (service, left) in &status.permissive {
        println!("permissive   {service}: refused nothing for {left} s more");
    }
    for (service, why) in &status.held_back {
        println!("held back    {}", escape(&format!("{service} learns on, as it would be locked out: {why}")));
    }
    for (service, maturity) in &status.learning {
        println!("learning     {service}: {} %, waits for {}", maturity.percent, waits_for(maturity));
    }
    if !status.started_earlier.is_empty() {
        println!("earlier      started before enforcement: {}", status.started_earlier.join(", "));
    }
}

pub(super) fn attestation(attestation: &Attestation) {
    println!("{} on {}, kernel {}", attestation.time, attestation.host, attestation.kernel);
    println!("object {}", attestation.object);
    for hook in &attestation.hooks {
        let state = if hook.attached { "attached" } else { "NOT attached" };
        println!("hook {:<26} {:<12} program {}", hook.name, state, hook.tag);
    }
    for map in &attestation.maps {
        println!("map  {:<11} {:>6} entries  {}", map.name, map.entries, map.digest);
    }
    for difference in &attestation.differences {
        println!("DIFFERENCE {difference}");
    }
    let verdict = if attestation.agrees { "The kernel holds" } else { "The kernel does NOT hold" };
    println!("{verdict} revision {}.", attestation.revision);
}

pub(super) fn services(services: &[ServiceStatus]) {
    println!("{:<28} {:<9} {:>6} {:<25} GRANTED", "SERVICE", "STATE", "MATURE", "SINCE");
    for service in services {
        let granted: Vec<&str> = service.granted.keys().map(String::as_str).collect();
        let mature = format!("{} %", service.maturity.percent);
        let granted = granted.join(" ");
        println!("{:<28} {:<9} {mature:>6} {:<25} {granted}", service.name, service.state, service.since);
    }
}

/// What a service waits for, in one line.
pub(super) fn waits_for(maturity: &Maturity) -> String {
    if maturity.waits_for.is_empty() { "nothing".to_owned() } else { maturity.waits_for.join("; ") }
}
