//! Policy files: TOML in, rules out, or every problem with its place. A file with a problem gives no rule at all.

mod outbound;
mod reader;
mod scope;

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::access::Access;
use crate::place::{Place, Problem};
use crate::rule::{Effect, Rule, Violations};
use reader::Reader;

/// Reads one file. `file` is its name in messages.
pub fn parse(file: &str, text: &str) -> Result<Vec<Rule>, Vec<Problem>> {
    parse_all([(file, text)])
}

/// Reads several files as one policy: names of rules are unique across them.
pub fn parse_all<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Vec<Rule>, Vec<Problem>> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut problems = Vec::new();
    for (file, text) in files {
        let (found, mut wrong) = one_file(file, text);
        for rule in found {
            if let Some(first) = rules.iter().find(|known| known.name == rule.name) {
                let message = format!("expected a name of its own, as {} has this one already", first.place);
                wrong.push(Problem { place: rule.place.clone(), message, text: rule.name.clone() });
            }
            rules.push(rule);
        }
        wrong.sort_by_key(|problem| (problem.place.line, problem.place.column));
        problems.append(&mut wrong);
    }
    if problems.is_empty() { Ok(rules) } else { Err(problems) }
}

/// The rules that could be read, and everything that is wrong.
fn one_file(file: &str, text: &str) -> (Vec<Rule>, Vec<Problem>) {
    let mut reader = Reader::new(file, text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What was recovered may lack what stands behind the error: it is not looked at.
        errors.iter().for_each(|error| reader.syntax(error));
        return (Vec::new(), reader.problems);
    }
    reader.keys(root.get_ref(), &["rule"]);
    let rules = match root.get_ref().get("rule") {
        None => Vec::new(),
        Some(value) => match value.get_ref() {
            DeValue::Array(raw) => raw.iter().filter_map(|raw| rule(&mut reader, raw)).collect(),
            _ => {
                reader.refuse(value, "expected `[[rule]]`, with two brackets on each side");
                Vec::new()
            }
        },
    };
    (rules, reader.problems)
}

fn rule(reader: &mut Reader<'_>, raw: &Spanned<DeValue<'_>>) -> Option<Rule> {
    let table = reader.table(raw, "expected `[[rule]]`")?;
    reader.keys(table, &["name", "services", "violations", "capabilities", "outbound", "breaks_hosts"]);
    let name = name(reader, raw, table);
    let services = match table.get("services") {
        Some(value) => scope::services(reader, value),
        None => {
            reader.missing(raw, "expected `services = [\"…\"]` in this rule");
            Vec::new()
        }
    };
    let breaks_hosts = table.get("breaks_hosts").is_some_and(|value| {
        let accepted = value.get_ref().as_str() == Some("accepted");
        if !accepted {
            reader.refuse(value, "expected \"accepted\"");
        }
        accepted
    });
    let violations = table.get("violations").and_then(|value| violations(reader, value));
    let capabilities = table.get("capabilities").map(|value| capabilities(reader, value)).unwrap_or_default();
    let outbound = table.get("outbound").and_then(|value| outbound::read(reader, value));
    // Not before everything has been looked at.
    let (name, place) = name?;
    Some(Rule { name, services, violations, capabilities, outbound, breaks_hosts, place })
}

/// The name and where it stands.
fn name(reader: &mut Reader<'_>, raw: &Spanned<DeValue<'_>>, table: &DeTable<'_>) -> Option<(String, Place)> {
    let Some(value) = table.get("name") else {
        reader.missing(raw, "expected `name = \"…\"` in this rule");
        return None;
    };
    let name = reader.string(value, "expected a name in quotes")?;
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        reader.refuse(value, "expected a name of printable characters");
    }
    Some((name.to_owned(), reader.place(value.span().start)))
}

fn violations(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Violations> {
    match value.get_ref().as_str() {
        Some("alert") => Some(Violations::Alert),
        Some("prevent") => Some(Violations::Prevent),
        _ => {
            reader.refuse(value, "expected \"alert\" or \"prevent\"");
            None
        }
    }
}

/// `SSH = "…"`, `"SSH.write" = "…"` or, without quotes, `SSH.write = "…"`, which TOML reads as a table.
fn capabilities(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> BTreeMap<(u8, Option<Access>), Effect> {
    let mut read = BTreeMap::new();
    let Some(table) = reader.table(value, "expected lines such as SHELL = \"prevent\"") else { return read };
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Table(accesses) => {
                for (access, value) in accesses {
                    let whole = format!("{}.{}", key.get_ref(), access.get_ref());
                    capability(reader, &mut read, (access.span(), &whole), value);
                }
            }
            _ => capability(reader, &mut read, (key.span(), key.get_ref()), value),
        }
    }
    read
}

fn capability(
    reader: &mut Reader<'_>,
    read: &mut BTreeMap<(u8, Option<Access>), Effect>,
    (span, key): (std::ops::Range<usize>, &str),
    value: &Spanned<DeValue<'_>>,
) {
    let effect = value.get_ref().as_str().and_then(Effect::from_name);
    if effect.is_none() {
        reader.refuse(value, "expected \"allow\", \"alert\", \"prevent\" or \"disable\"");
    }
    let subject = scope::capability(reader, span.clone(), key);
    if let (Some(subject), Some(effect)) = (subject, effect)
        && read.insert(subject, effect).is_some()
    {
        let message = "expected each capability once: this one stands here under another spelling too";
        reader.problem(span, key, message);
    }
}

#[cfg(test)]
#[path = "syntax/tests.rs"]
mod tests;
