//! `bartizan services`, `show`, and what moves a service from state to state.

use hyper::Method;
use policy::maturity::Maturity;
use serde::Serialize;

use super::client::{Trouble, ask, encode};
use super::line::{Line, Paint};
use super::revisions::{body, seconds};
use super::screen::Screen;
use super::{get, model_table, tell, tell_of};
use crate::GOOD;
use crate::api::{ModelStatus, PermissiveRequest, ServiceStatus};

pub(super) fn services(json: bool) -> Result<u8, Trouble> {
    let (services, text): (Vec<ServiceStatus>, String) = get("/v1/services")?;
    tell(json, &text, |screen| table(screen, &services))?;
    Ok(GOOD)
}

/// Two lines a service: what is granted may be long.
fn table(screen: &mut Screen, services: &[ServiceStatus]) -> Result<(), Trouble> {
    let name = services.iter().map(|one| one.name.chars().count()).max().unwrap_or(0).clamp(7, 36);
    screen.row(
        Line::default().then(Paint::Bold, format!("{:<name$}  {:<9} {:>6}  SINCE", "SERVICE", "STATE", "MATURE")),
    )?;
    for service in services {
        let paint = match service.state.as_str() {
            "active" => Paint::Good,
            "archived" => Paint::Faint,
            _ => Paint::Note,
        };
        let mature = format!("{} %", service.maturity.percent);
        let line = Line::from(format!("{:<name$}  ", service.name)).then(paint, format!("{:<9}", service.state));
        screen.row(line.then(Paint::Plain, format!(" {mature:>6}  {}", service.since)))?;
        if !service.granted.is_empty() {
            let granted: Vec<&str> = service.granted.keys().map(String::as_str).collect();
            screen.row(Line::default().then(Paint::Faint, format!("    {}", granted.join(" "))).hang(4))?;
        }
    }
    Ok(())
}

/// What a service waits for, in one line.
pub(super) fn waits_for(maturity: &Maturity) -> String {
    if maturity.waits_for.is_empty() { "nothing".to_owned() } else { maturity.waits_for.join("; ") }
}

pub(super) fn show(service: &str, json: bool) -> Result<u8, Trouble> {
    let (model, text): (ModelStatus, String) = get(&format!("/v1/services/{}", encode(service)))?;
    tell(json, &text, |screen| model_table::lines(&model).iter().try_for_each(|line| screen.line(line)))?;
    Ok(GOOD)
}

/// Answer to what moves a service from state to state.
#[derive(Serialize)]
struct Entered<'a> {
    service: &'a str,
    done: &'a str,
}

pub(super) fn enter(service: &str, what: &str, json: bool) -> Result<u8, Trouble> {
    ask(Method::POST, &format!("/v1/services/{}/{what}", encode(service)), None)?;
    let text = format!("{service}: {what} done, and the kernel holds it");
    tell_of(json, &Entered { service, done: what }, |screen| screen.line(text))?;
    Ok(GOOD)
}

/// Answer to `permissive`.
#[derive(Serialize)]
struct Permissive<'a> {
    service: &'a str,
    seconds: u64,
}

pub(super) fn permissive(service: &str, time: Option<&str>, end: bool, json: bool) -> Result<u8, Trouble> {
    let seconds = if end { 0 } else { seconds(time.unwrap_or_default())? };
    let path = format!("/v1/services/{}/permissive", encode(service));
    ask(Method::POST, &path, body(&PermissiveRequest { seconds })?)?;
    let text = if end {
        format!("{service} is no longer permissive, and the kernel holds it")
    } else {
        format!("{service} is permissive for {seconds} s: what rules refuse is permitted and recorded")
    };
    tell_of(json, &Permissive { service, seconds }, |screen| screen.line(text))?;
    Ok(GOOD)
}
