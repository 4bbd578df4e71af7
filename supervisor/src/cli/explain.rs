//! `bartizan explain`.

use actors::messages::Explanation;
use actors::record::escape;
use policy::access::Access;

use super::client::{Trouble, encode};
use super::get;
use crate::{BAD_INPUT, FINDING, GOOD};

/// The access of this name, or what was expected.
fn access(text: &str) -> Result<Access, Trouble> {
    let names: Vec<&str> = Access::ALL.iter().map(|access| access.name()).collect();
    let expected = || format!("expected an access, one of {}: `{}`", names.join(", "), text.escape_debug());
    Access::from_name(text).ok_or_else(|| Trouble::new(BAD_INPUT, expected()))
}

pub(super) fn explain(service: &str, what: &str, object: &str, json: bool) -> Result<u8, Trouble> {
    let access = access(what)?;
    let path = format!("/v1/explain?service={}&access={}&object={}", encode(service), access.name(), encode(object));
    let (found, text): (Explanation, String) = get(&path)?;
    if json {
        println!("{text}");
    } else {
        people(&found);
    }
    Ok(if found.reason.verdict == "deny" { FINDING } else { GOOD })
}

fn people(found: &Explanation) {
    let reason = &found.reason;
    let learned = if reason.learned { ", and learned" } else { "" };
    println!("verdict   {}{learned}: {}", reason.verdict, escape(&reason.because));
    println!("service   {}, {}", found.service, found.state);
    if found.permissive {
        println!("          permissive: refused nothing for a while");
    }
    println!("act       {} {}", found.access.name(), escape(&found.object));
    let line = |name: &str, words: &[String]| {
        if !words.is_empty() {
            println!("{name:<9} {}", escape(&words.join(", ")));
        }
    };
    line("needs", &reason.needs);
    line("from", &found.from);
    line("has", &reason.has);
    line("by model", &found.by_model);
    line("missing", &reason.missing);
    line("at start", &reason.at_start);
    line("rule", reason.rule.as_slice());
    line("nearest", reason.nearest.as_slice());
    found.unknown.iter().for_each(|one| println!("unknown   {}", escape(one)));
}
