//! Policy files: TOML in, rules out, or every problem with its place. A file with a problem gives no rule at all.

mod outbound;
mod scope;

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::access::Access;
use crate::capability::Catalogue;
use crate::place::{Place, Problem};
use crate::rule::{Effect, Rule, Violations};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<RawRule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    name: Spanned<String>,
    services: Spanned<Vec<Spanned<String>>>,
    violations: Option<Spanned<String>>,
    #[serde(default)]
    capabilities: BTreeMap<Spanned<String>, Spanned<String>>,
    outbound: Option<outbound::Raw>,
    breaks_hosts: Option<Spanned<String>>,
}

/// Gathers what is wrong with one file.
struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem<T: ToString>(&mut self, at: &Spanned<T>, message: impl Into<String>) {
        let place = Place::at(self.file, self.text, at.span().start);
        self.problems.push(Problem { place, message: message.into(), text: at.get_ref().to_string() });
    }
}

/// Reads one file. `file` is its name in messages.
pub fn parse(file: &str, text: &str) -> Result<Vec<Rule>, Vec<Problem>> {
    let raw: File = toml::from_str(text).map_err(|error| vec![syntax_problem(file, text, &error)])?;
    let mut reader = Reader { file, text, problems: Vec::new() };
    let rules = raw.rule.iter().map(|raw| read(&mut reader, raw)).collect();
    if reader.problems.is_empty() { Ok(rules) } else { Err(reader.problems) }
}

/// Reads several files as one policy: names of rules are unique across them.
pub fn parse_all<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Vec<Rule>, Vec<Problem>> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut problems = Vec::new();
    for (file, text) in files {
        match parse(file, text) {
            Ok(more) => {
                for rule in more {
                    if let Some(first) = rules.iter().find(|known| known.name == rule.name) {
                        let message = format!("expected a name of its own, as {} has this one already", first.place);
                        problems.push(Problem { place: rule.place.clone(), message, text: rule.name.clone() });
                    }
                    rules.push(rule);
                }
            }
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(rules) } else { Err(problems) }
}

fn syntax_problem(file: &str, text: &str, error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let offending = text.get(span.clone()).unwrap_or_default().lines().next().unwrap_or_default();
    Problem {
        place: Place::at(file, text, span.start),
        message: error.message().to_owned(),
        text: offending.chars().take(60).collect(),
    }
}

fn read(reader: &mut Reader<'_>, raw: &Spanned<RawRule>) -> Rule {
    let rule = raw.get_ref();
    if rule.name.get_ref().trim().is_empty() || rule.name.get_ref().chars().any(char::is_control) {
        reader.problem(&rule.name, "expected a name of printable characters");
    }
    let services = scope::services(reader, &rule.services);
    let breaks_hosts = rule.breaks_hosts.as_ref().is_some_and(|word| {
        if word.get_ref() != "accepted" {
            reader.problem(word, "expected \"accepted\"");
        }
        word.get_ref() == "accepted"
    });
    Rule {
        name: rule.name.get_ref().clone(),
        services,
        violations: rule.violations.as_ref().and_then(|word| violations(reader, word)),
        capabilities: capabilities(reader, &rule.capabilities),
        outbound: rule.outbound.as_ref().map(|raw| outbound::read(reader, raw)),
        breaks_hosts,
        place: Place::at(reader.file, reader.text, rule.name.span().start),
    }
}

fn violations(reader: &mut Reader<'_>, word: &Spanned<String>) -> Option<Violations> {
    match word.get_ref().as_str() {
        "alert" => Some(Violations::Alert),
        "prevent" => Some(Violations::Prevent),
        _ => {
            reader.problem(word, "expected \"alert\" or \"prevent\"");
            None
        }
    }
}

fn capabilities(
    reader: &mut Reader<'_>,
    raw: &BTreeMap<Spanned<String>, Spanned<String>>,
) -> BTreeMap<(u8, Option<Access>), Effect> {
    let mut read = BTreeMap::new();
    for (key, word) in raw {
        let Some(effect) = Effect::from_name(word.get_ref()) else {
            reader.problem(word, "expected \"allow\", \"alert\", \"prevent\" or \"disable\"");
            continue;
        };
        let Some(subject) = scope::capability(reader, key) else { continue };
        if read.insert(subject, effect).is_some() {
            reader.problem(key, "expected each capability once: this one stands here under another spelling too");
        }
    }
    read
}

/// Names of all capabilities, for messages.
fn known_capabilities() -> String {
    let names: Vec<&str> = Catalogue::builtin().iter().map(|capability| capability.name.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
#[path = "syntax/tests.rs"]
mod tests;
