//! `bartizan status` and `bartizan attest`.

use super::client::{Trouble, refuses_programs};
use super::line::{Line, Paint};
use super::screen::Screen;
use super::services::waits_for;
use super::{get, tell, tell_of};
use crate::api::{Attestation, Status};
use crate::{CANNOT, FINDING, GOOD};

/// The column at which the second of two columns begins.
const COLUMN: usize = 13;

pub(super) fn status(json: bool) -> Result<u8, Trouble> {
    let (status, text): (Status, String) = match get("/v1/status") {
        Ok(answer) => answer,
        Err(trouble) if trouble.status == CANNOT && refuses_programs() => {
            let status = Status::without_kernel("unsupported", 0);
            tell_of(json, &status, |screen| people(screen, &status))?;
            return Err(Trouble {
                lines: vec!["this machine cannot enforce, see `bartizan doctor`".to_owned()],
                ..trouble
            });
        }
        Err(trouble) => return Err(trouble),
    };
    tell(json, &text, |screen| people(screen, &status))?;
    Ok(if status.enforcement == "enforcing" { GOOD } else { FINDING })
}

fn row(label: &str, paint: Paint, text: impl Into<String>) -> Line {
    Line::from(format!("{label:<COLUMN$}")).then(paint, text).hang(COLUMN)
}

fn people(screen: &mut Screen, status: &Status) -> Result<(), Trouble> {
    let state = if status.enforcement == "enforcing" { Paint::Good } else { Paint::Bad };
    screen.line(row("enforcement", state, &status.enforcement))?;
    if let Some(why) = &status.switched_off {
        screen.line(row("", Paint::Bad, format!("SWITCHED OFF, nothing is enforced: {why}")))?;
        screen.line(row("", Paint::Plain, "`bartizan on` enforces again"))?;
    }
    screen.line(row("revision", Paint::Plain, status.revision.to_string()))?;
    screen.line(row("kernel", Paint::Plain, &status.kernel))?;
    let attached = status.hooks.iter().filter(|hook| hook.attached).count();
    screen.line(row("hooks", Paint::Plain, format!("{attached} of {} attached", status.hooks.len())))?;
    for hook in status.hooks.iter().filter(|hook| !hook.attached) {
        screen.line(row("", Paint::Bad, format!("NOT attached: {}", hook.name)))?;
    }
    for difference in &status.differences {
        screen.line(row("difference", Paint::Bad, difference))?;
    }
    for (kind, count) in status.loss.iter().filter(|(_, count)| **count > 0) {
        screen.line(row("loss", Paint::Note, format!("{kind}: {count}")))?;
    }
    if let Some(word) = &status.on_loss {
        screen.line(row("on loss", Paint::Plain, format!("{word}: {}", follows(word))))?;
    }
    if let Some(left) = status.held.values().max() {
        let names: Vec<&str> = status.held.keys().map(String::as_str).collect();
        let text = format!(
            "{}: evidence was lost, and nothing is learned for {left} s more, or until `bartizan relearn SERVICE`",
            names.join(", ")
        );
        screen.line(row("held", Paint::Note, text))?;
    }
    for (service, left) in &status.permissive {
        screen.line(row("permissive", Paint::Note, format!("{service}: refused nothing for {left} s more")))?;
    }
    for (service, why) in &status.held_back {
        let text = format!("{service} learns on, as it would be locked out: {why}");
        screen.line(row("held back", Paint::Note, text))?;
    }
    for (service, maturity) in &status.learning {
        let text = format!("{service}: {} %, waits for {}", maturity.percent, waits_for(maturity));
        screen.line(row("learning", Paint::Plain, text))?;
    }
    if !status.started_earlier.is_empty() {
        let text = format!("started before enforcement: {}", status.started_earlier.join(", "));
        screen.line(row("earlier", Paint::Note, text))?;
    }
    Ok(())
}

/// What follows a loss, in words.
fn follows(on_loss: &str) -> &'static str {
    match on_loss {
        "log" => "only the daemon's log tells a loss",
        "hold" => "a loss is on record, and services that learn are held",
        _ => "a loss is on record",
    }
}

pub(super) fn attest(json: bool) -> Result<u8, Trouble> {
    let (attestation, text): (Attestation, String) = get("/v1/attest")?;
    tell(json, &text, |screen| attested(screen, &attestation))?;
    Ok(if attestation.agrees { GOOD } else { FINDING })
}

fn attested(screen: &mut Screen, found: &Attestation) -> Result<(), Trouble> {
    screen.line(format!("{} on {}, kernel {}", found.time, found.host, found.kernel))?;
    screen.line(Line::from(format!("object {}", found.object)))?;
    for hook in &found.hooks {
        let (paint, state) = if hook.attached { (Paint::Good, "attached") } else { (Paint::Bad, "NOT attached") };
        let line = Line::from(format!("hook {:<26} ", hook.name)).then(paint, format!("{state:<12}"));
        screen.line(line.then(Paint::Plain, format!(" program {}", hook.tag)))?;
    }
    for map in &found.maps {
        let text = format!("map  {:<11} {:>6} entries  {}", map.name, map.entries, map.digest);
        screen.line(Line::from(text).hang(5))?;
    }
    for difference in &found.differences {
        screen.line(Line::default().then(Paint::Bad, "DIFFERENCE ").then(Paint::Plain, difference).hang(11))?;
    }
    let (paint, verdict) =
        if found.agrees { (Paint::Good, "The kernel holds") } else { (Paint::Bad, "The kernel does NOT hold") };
    screen.line(Line::default().then(paint, verdict).then(Paint::Plain, format!(" revision {}.", found.revision)))
}
