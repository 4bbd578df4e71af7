//! `[[capability]]`: what operators add to the catalogue.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::Reader;
use crate::access::Access;
use crate::capability::{CAPABILITIES_MAX, Capability, Catalogue, Files, pattern_problem};
use crate::pattern::Pattern;
use crate::place::Place;

/// Longest name, characters.
const NAME_MAX: usize = 32;
const SEVERITIES: [&str; 4] = ["low", "medium", "high", "critical"];

/// A capability and where its name stands.
pub(super) type Placed = (Capability, Place);

/// Reads one. `known` are those that other entries gave before.
pub(super) fn read(reader: &mut Reader<'_>, raw: &Spanned<DeValue<'_>>, known: &[Placed]) -> Option<Placed> {
    let table = reader.table(raw, "expected `[[capability]]`")?;
    reader.keys(table, &["name", "description", "severity", "executables", "sockets", "files"]);
    let name = name(reader, raw, table, known);
    let mut text =
        |key: &str, expected: &str| table.get(key).and_then(|value| reader.string(value, expected)).map(str::to_owned);
    let description = text("description", "expected one line in quotes").unwrap_or_default();
    let severity = severity(reader, table);
    let executables = patterns(reader, table, "executables", Access::Execute);
    let sockets = patterns(reader, table, "sockets", Access::Connect);
    let mut files = Files::default();
    if let Some(value) = table.get("files")
        && let Some(table) = reader.table(value, "expected `[capability.files]` with read or write in it")
    {
        reader.keys(table, &["read", "write"]);
        files.read = patterns(reader, table, "read", Access::Read);
        files.write = patterns(reader, table, "write", Access::Write);
    }
    if ["executables", "sockets", "files"].iter().all(|key| !table.contains_key(*key)) {
        reader.missing(raw, "expected executables, sockets or files in this capability");
    }
    let (name, place) = name?;
    if Catalogue::builtin().iter().count() + known.len() >= CAPABILITIES_MAX {
        reader.missing(
            raw,
            &format!("expected at most {CAPABILITIES_MAX} capabilities, those that are built in included"),
        );
        return None;
    }
    let (aliases, operations, kinds) = (Vec::new(), Vec::new(), Vec::new());
    let (bit, programs) = (0, None);
    let capability = Capability {
        name,
        bit,
        description,
        severity,
        aliases,
        executables,
        sockets,
        operations,
        kinds,
        files,
        programs,
        marks: Default::default(),
    };
    Some((capability, place))
}

fn name(
    reader: &mut Reader<'_>,
    raw: &Spanned<DeValue<'_>>,
    table: &DeTable<'_>,
    known: &[Placed],
) -> Option<(String, Place)> {
    let Some(value) = table.get("name") else {
        reader.missing(raw, "expected `name = \"…\"` in this capability");
        return None;
    };
    let name = reader.string(value, "expected a name in quotes")?;
    let letters = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let fits = name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(letters);
    if !fits || name.len() > NAME_MAX || name.starts_with("CAPABILITY_") {
        let message =
            format!("expected a name of its own such as PAYROLL: upper case, digits and _, at most {NAME_MAX}");
        reader.refuse(value, message);
        return None;
    }
    if Catalogue::builtin().index(name).is_some() {
        reader.refuse(value, "expected a name of its own, as this capability is built in");
        return None;
    }
    if let Some((_, first)) = known.iter().find(|(other, _)| other.name == name) {
        reader.refuse(value, format!("expected a name of its own, as {first} has this one already"));
        return None;
    }
    Some((name.to_owned(), reader.place(value.span().start)))
}

fn severity(reader: &mut Reader<'_>, table: &DeTable<'_>) -> String {
    let Some(value) = table.get("severity") else { return "high".to_owned() };
    match value.get_ref().as_str().filter(|word| SEVERITIES.contains(word)) {
        Some(word) => word.to_owned(),
        None => {
            reader.refuse(value, format!("expected {}", SEVERITIES.join(", ")));
            String::new()
        }
    }
}

/// The patterns under a key. One that another one covers would never decide anything.
pub(super) fn patterns(reader: &mut Reader<'_>, table: &DeTable<'_>, key: &str, access: Access) -> Vec<String> {
    let Some(value) = table.get(key) else { return Vec::new() };
    let mut read: Vec<&str> = Vec::new();
    for one in reader.array(value, "expected at least one path in quotes").unwrap_or_default() {
        let Some(text) = reader.string(one, "expected a path in quotes") else { continue };
        let problem = problem(text, access).or_else(|| {
            let covering = read.iter().find(|wide| covers(wide, text))?;
            Some(format!("expected a path that `{covering}` above does not cover: this one can never decide anything"))
        });
        match problem {
            Some(expected) => reader.refuse(one, expected),
            None => read.push(text),
        }
    }
    read.into_iter().map(str::to_owned).collect()
}

fn problem(text: &str, access: Access) -> Option<String> {
    let anchored = text.starts_with('/') || text.starts_with("~/");
    if access == Access::Execute && !anchored {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        let fits = !text.is_empty() && text.chars().all(plain) && !matches!(text, "." | "..");
        return (!fits).then(|| "expected a path, or the bare name of a program".to_owned());
    }
    if !anchored {
        return Some("expected a path that begins with / or ~/".to_owned());
    }
    pattern_problem(text)
}

fn covers(wide: &str, other: &str) -> bool {
    let at_home = |text: &str| text.strip_prefix("~/").map(|rest| format!("/~/{rest}"));
    let (wide, other) =
        (at_home(wide).unwrap_or_else(|| wide.to_owned()), at_home(other).unwrap_or_else(|| other.to_owned()));
    let names: Vec<&[u8]> = other.split('/').filter(|part| !part.is_empty()).map(str::as_bytes).collect();
    other.starts_with('/') && Pattern::parse(&wide).is_ok_and(|pattern| pattern.fits(&names)) || wide == other
}
