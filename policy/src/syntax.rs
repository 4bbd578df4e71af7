//! Policy files: TOML in, rules out, or every problem with its place. A file with a problem gives no rule at all.

mod capability;
mod facts;
mod outbound;
mod programs;
mod reader;
mod scope;

use std::collections::{BTreeMap, HashMap};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::access::Access;
use crate::capability::{Bits, CAPABILITIES_MAX, Catalogue};
use crate::place::{Place, Problem};
use crate::rule::{Effect, Policy, Rule, Violations};
use reader::Reader;

/// Reads one file. `file` is its name in messages.
pub fn parse(file: &str, text: &str) -> Result<Policy, Vec<Problem>> {
    parse_all([(file, text)], &Bits::new())
}

/// Reads several files as one policy: names of rules and of capabilities are unique across them, and a rule may name a
/// capability of any file. `kept`: the bits that capabilities of operators have or had.
pub fn parse_all<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>, kept: &Bits) -> Result<Policy, Vec<Problem>> {
    let files: Vec<File<'a>> = files.into_iter().map(File::read).collect();
    let mut problems: Vec<Vec<Problem>> = files.iter().map(|file| file.problems.clone()).collect();
    let mut own: Vec<capability::Placed> = Vec::new();
    for (file, wrong) in files.iter().zip(&mut problems) {
        let mut reader = Reader::new(file.name, file.text, Catalogue::builtin());
        for raw in file.tables(&mut reader, "capability") {
            own.extend(capability::read(&mut reader, raw, &own));
        }
        wrong.append(&mut reader.problems);
    }
    let catalogue = Catalogue::builtin().clone().with(own.into_iter().map(|(capability, _)| capability), kept);
    let mut rules: Vec<Rule> = Vec::new();
    let mut names: HashMap<String, Place> = HashMap::new();
    let mut said: Vec<(usize, programs::Said)> = Vec::new();
    let mut owners: Vec<usize> = Vec::new();
    for (number, (file, wrong)) in files.iter().zip(&mut problems).enumerate() {
        let mut reader = Reader::new(file.name, file.text, &catalogue);
        for raw in file.tables(&mut reader, "rule") {
            let Some((found, programs)) = rule(&mut reader, raw) else { continue };
            if let Some(first) = names.get(&found.name) {
                let message = format!("expected a name of its own, as {first} has this one already");
                wrong.push(Problem { place: found.place.clone(), message, text: found.name.clone() });
            }
            names.entry(found.name.clone()).or_insert_with(|| found.place.clone());
            said.extend(programs.map(|programs| (rules.len(), programs)));
            rules.push(found);
            owners.push(number);
        }
        wrong.append(&mut reader.problems);
    }
    let (more, refused) = programs::capabilities(&catalogue, &said, &rules);
    for number in refused {
        let message =
            format!("expected at most {CAPABILITIES_MAX} capabilities, and each rule with programs takes one");
        if let (Some(rule), Some(wrong)) =
            (rules.get(number), owners.get(number).and_then(|file| problems.get_mut(*file)))
        {
            wrong.push(Problem { place: rule.place.clone(), message, text: rule.name.clone() });
        }
    }
    let catalogue = catalogue.with(more, kept);
    programs::enter(&catalogue, said, &mut rules);
    problems.iter_mut().for_each(|wrong| wrong.sort_by_key(|problem| (problem.place.line, problem.place.column)));
    let problems = problems.concat();
    if problems.is_empty() { Ok(Policy { catalogue, rules, ..Policy::default() }) } else { Err(problems) }
}

/// A file as TOML.
struct File<'a> {
    name: &'a str,
    text: &'a str,
    root: Option<Spanned<DeTable<'a>>>,
    problems: Vec<Problem>,
}

impl<'a> File<'a> {
    fn read((name, text): (&'a str, &'a str)) -> File<'a> {
        let mut reader = Reader::new(name, text, Catalogue::builtin());
        let (root, errors) = DeTable::parse_recoverable(text);
        errors.iter().for_each(|error| reader.syntax(error));
        // What was recovered may lack what stands behind the error: it is not looked at.
        let root = errors.is_empty().then_some(root);
        if let Some(root) = &root {
            reader.keys(root.get_ref(), &["rule", "capability"]);
        }
        File { name, text, root, problems: reader.problems }
    }

    /// The elements of `[[KEY]]`.
    fn tables(&self, reader: &mut Reader<'_>, key: &str) -> &[Spanned<DeValue<'a>>] {
        let Some(value) = self.root.as_ref().and_then(|root| root.get_ref().get(key)) else { return &[] };
        match value.get_ref() {
            DeValue::Array(raw) => raw,
            _ => {
                reader.refuse(value, format!("expected `[[{key}]]`, with two brackets on each side"));
                &[]
            }
        }
    }
}

/// Keys of a rule, in the order of `docs/policy.md`.
const KEYS: [&str; 13] = [
    "name",
    "services",
    "violations",
    "anomalous",
    "capabilities",
    "outbound",
    "programs",
    "breaks_hosts",
    "hosts",
    "expires",
    "owner",
    "reason",
    "tags",
];

fn rule(reader: &mut Reader<'_>, raw: &Spanned<DeValue<'_>>) -> Option<(Rule, Option<programs::Said>)> {
    let table = reader.table(raw, "expected `[[rule]]`")?;
    reader.keys(table, &KEYS);
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
    let anomalous = table.get("anomalous").and_then(|value| anomalous(reader, value));
    let capabilities = table.get("capabilities").map(|value| capabilities(reader, value)).unwrap_or_default();
    let outbound = table.get("outbound").and_then(|value| outbound::read(reader, value));
    let programs = table.get("programs").and_then(|value| programs::read(reader, value));
    let facts = facts::read(reader, table);
    // Not before everything has been looked at.
    let (name, place) = name?;
    let rule = Rule { name, services, violations, anomalous, capabilities, outbound, breaks_hosts, place, facts };
    Some((rule, programs))
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

fn anomalous(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Effect> {
    match value.get_ref().as_str().and_then(Effect::from_name) {
        found @ Some(Effect::Alert | Effect::Disable) => found,
        _ => {
            reader.refuse(value, "expected \"alert\" or \"disable\"");
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
