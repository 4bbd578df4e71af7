//! `bartizan explain`.

use actors::messages::Explanation;
use policy::access::Access;

use super::client::{Trouble, encode};
use super::line::{Line, Paint};
use super::screen::Screen;
use super::{get, tell};
use crate::nearest::did_you_mean;
use crate::{BAD_INPUT, FINDING, GOOD};

/// The access of this name, or what was expected.
fn access(text: &str) -> Result<Access, Trouble> {
    let names: Vec<&str> = Access::ALL.iter().map(|access| access.name()).collect();
    let expected = || {
        let near = did_you_mean(text, names.iter().copied());
        format!("expected an access, one of {}: `{}`{near}", names.join(", "), text.escape_debug())
    };
    Access::from_name(text).ok_or_else(|| Trouble::new(BAD_INPUT, expected()))
}

pub(super) fn explain(service: &str, what: &str, object: &str, json: bool) -> Result<u8, Trouble> {
    let access = access(what)?;
    let path = format!("/v1/explain?service={}&access={}&object={}", encode(service), access.name(), encode(object));
    let (found, text): (Explanation, String) = get(&path)?;
    tell(json, &text, |screen| people(screen, &found))?;
    Ok(if found.reason.verdict == "deny" { FINDING } else { GOOD })
}

fn people(screen: &mut Screen, found: &Explanation) -> Result<(), Trouble> {
    let reason = &found.reason;
    let learned = if reason.learned { ", and learned" } else { "" };
    let paint = match reason.verdict.as_str() {
        "deny" => Paint::Bad,
        "audit" => Paint::Note,
        _ => Paint::Good,
    };
    let verdict = Line::from("verdict   ").then(paint, &reason.verdict);
    screen.line(verdict.then(Paint::Plain, format!("{learned}: {}", reason.because)).hang(10))?;
    screen.line(format!("service   {}, {}", found.service, found.state))?;
    if found.permissive {
        screen.line("          permissive: refused nothing for a while")?;
    }
    screen.line(format!("act       {} {}", found.access.name(), found.object))?;
    for (name, words) in [
        ("needs", reason.needs.as_slice()),
        ("from", found.from.as_slice()),
        ("has", reason.has.as_slice()),
        ("by model", found.by_model.as_slice()),
        ("missing", reason.missing.as_slice()),
        ("at start", reason.at_start.as_slice()),
        ("rule", reason.rule.as_slice()),
        ("nearest", reason.nearest.as_slice()),
    ] {
        if !words.is_empty() {
            screen.line(Line::from(format!("{name:<9} {}", words.join(", "))).hang(10))?;
        }
    }
    found.unknown.iter().try_for_each(|one| screen.line(Line::from(format!("unknown   {one}")).hang(10)))
}
