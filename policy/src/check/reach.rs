//! Rules that are about nothing: their time is over, they say nothing, or what they name cannot be there.

use super::finding::{Finding, Units, Weight};
use super::words::Words;
use crate::baseline::is_exempt;
use crate::rule::{Rule, is_own};
use crate::slice;

/// Longest name of a host, bytes (`HOST_NAME_MAX` of Linux).
const HOST_MAX: usize = 64;
/// What units are called that are no services (systemd.unit(5)).
const OTHER_UNITS: [&str; 9] =
    [".socket", ".device", ".mount", ".automount", ".swap", ".target", ".path", ".timer", ".scope"];

pub(super) fn found(words: &Words<'_>, now: i64, host: &str, units: Option<&Units>) -> Vec<Finding> {
    let rule = words.rule;
    let mut told: Vec<String> = Vec::new();
    if words.said().is_empty() && !words.firm {
        told.push("it says nothing: it has neither violations, capabilities, outbound nor programs".to_owned());
    }
    let gone = rule.facts.expires.is_some_and(|end| end <= now);
    told.extend(gone.then(|| "it holds no longer, as the time under expires is over".to_owned()));
    told.extend(rule.facts.hosts.iter().filter_map(|pattern| no_host(pattern)));
    told.extend(rule.services.iter().filter_map(|pattern| no_service(pattern)));
    let mut found: Vec<Finding> = told.into_iter().map(|message| Finding::of(rule, message)).collect();
    if let Some(units) = units.filter(|_| rule.facts.hold(host, now)) {
        let missing = rule.services.iter().filter_map(|pattern| not_here(pattern, units));
        found.extend(missing.map(|message| Finding { weight: Weight::Note, ..Finding::of(rule, message) }));
    }
    found
}

/// Why no host can be called like this.
fn no_host(pattern: &str) -> Option<String> {
    let text = pattern.trim_matches('*');
    let starts = !pattern.starts_with('*') && text.starts_with(['-', '.']);
    let ends = !pattern.ends_with('*') && text.ends_with(['-', '.']);
    let bad = if text.len() > HOST_MAX {
        format!("names of hosts have at most {HOST_MAX} bytes")
    } else if starts || ends {
        "names of hosts neither begin nor end with a dash or a dot".to_owned()
    } else if text.contains("..") {
        "names of hosts have something between two dots".to_owned()
    } else {
        return None;
    };
    Some(format!("no host is called \"{pattern}\": {bad}"))
}

/// Why a rule cannot be about such a service.
fn no_service(pattern: &str) -> Option<String> {
    if is_own(pattern) {
        return Some(format!("\"{pattern}\" is Bartizan itself, which no rule is about"));
    }
    if !pattern.contains('*') && is_exempt(pattern) {
        return Some(format!("\"{pattern}\" is never refused anything, and nothing of it is recorded"));
    }
    let kind = OTHER_UNITS.iter().find(|kind| pattern.ends_with(*kind))?;
    Some(format!("\"{pattern}\" is called like a {} unit, and rules are about services", kind.trim_start_matches('.')))
}

/// That this host has no such service.
fn not_here(pattern: &str, units: &Units) -> Option<String> {
    if let Some(wide) = slice::meant(pattern) {
        let here = units.slices.iter().any(|slice| slice::holds(wide, slice));
        return (!here).then(|| format!("this host has no slice {pattern}"));
    }
    if is_own(pattern) || units.services.iter().any(|name| Rule::matched(pattern, name, "").is_some()) {
        return None;
    }
    Some(match units.aliases.get(pattern) {
        Some(name) => {
            format!("\"{pattern}\" is another name of {name} on this host, and rules go by the unit's own name")
        }
        None => format!("this host has no unit that \"{pattern}\" fits"),
    })
}
