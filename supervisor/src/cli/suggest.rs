//! `bartizan audits --suggest ID`: the smallest change of the policy in force that permits an act, as a diff.

use std::path::Path;

use actors::record::{Kind, Record};
use actors::revision_store::{PolicyFile, Revision};
use compact_str::CompactString;
use policy::access::Access;
use policy::capability::is_programs;
use policy::reason::standing;
use policy::rule::{Policy, Rule};
use serde::Serialize;
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

use super::client::Trouble;
use super::line::legible;
use super::screen::Screen;
use super::{get, tell_of};
use crate::{BAD_INPUT, CANNOT, GOOD, paths};

/// Prints the diff. It is made of the files of the revision in force, wherever they were applied from.
pub(super) fn suggest(id: u64, json: bool) -> Result<u8, Trouble> {
    let after = id.saturating_sub(1);
    let (records, _): (Vec<Record>, String) = get(&format!("/v1/audits?after={after}&limit=1"))?;
    let record = records.into_iter().find(|record| record.id == id);
    let record = record.ok_or_else(|| refused(format!("there is no audit record {id}")))?;
    let (revision, _): (Revision, String) = get("/v1/policy")?;
    let policy = actors::assemble::policy(&revision.files, &revision.bits)
        .map_err(|_| Trouble::new(CANNOT, format!("the policy of revision {} cannot be read", revision.number)))?;
    let changes = changes(&record, &policy, &revision.files).map_err(refused)?;
    let message = legible(&record.message);
    let changes: Vec<Proposal> = changes.into_iter().map(Proposal::of).collect();
    if json {
        tell_of(true, &Suggestion { record: id, message, changes }, |_| Ok(()))?;
        return Ok(GOOD);
    }
    let mut screen = Screen::new();
    screen.line(format!("# {message}"))?;
    changes.iter().try_for_each(|one| screen.verbatim(&one.diff))?;
    screen.line(format!("# To take it: bartizan audits --suggest {id} | patch -d / -p1 && bartizan policy apply"))?;
    screen.finish()?;
    Ok(GOOD)
}

/// `audits --suggest ID --json`.
#[derive(Serialize)]
struct Suggestion {
    record: u64,
    message: String,
    changes: Vec<Proposal>,
}

/// One file of it.
#[derive(Serialize)]
struct Proposal {
    path: String,
    /// Its whole text, as it would be.
    text: String,
    /// The same as a unified diff.
    diff: String,
}

impl Proposal {
    fn of((path, before, text): Change) -> Proposal {
        let old = if before.is_empty() { "/dev/null".to_owned() } else { format!("a{path}") };
        let diff = similar::TextDiff::from_lines(before.as_str(), text.as_str());
        let diff = diff.unified_diff().context_radius(3).header(&old, &format!("b{path}")).to_string();
        Proposal { path, text, diff }
    }
}

fn refused(why: String) -> Trouble {
    Trouble::new(BAD_INPUT, why)
}

/// A path, and its text before and afterwards.
type Change = (String, String, String);

fn changes(record: &Record, policy: &Policy, files: &[PolicyFile]) -> Result<Vec<Change>, String> {
    let id = record.id;
    match record.kind {
        Kind::Capability => {}
        Kind::Outbound => {
            let rule = record.rule.as_deref().unwrap_or("outbound");
            return Err(format!(
                "record {id} is a connection: take its address out of the rule `{rule}`, which has no exceptions"
            ));
        }
        Kind::Tamper => {
            return Err(format!("record {id} is about Bartizan itself: no rule permits that, see `operators`"));
        }
        _ => return Err(format!("record {id} is about nothing that a rule could permit")),
    }
    let (Some(service), Some(access)) = (&record.service, record.access) else {
        return Err(format!("record {id} names no service or no access"));
    };
    if let Some(list) = record.capabilities.iter().find(|name| is_programs(name)) {
        let rule = list.trim_start_matches("PROGRAMS(").trim_end_matches(')');
        return Err(format!("record {id} is about a list of programs: change `programs` in the rule `{rule}`"));
    }
    let mask = |name: &CompactString| policy.catalogue.index(name).map(|bit| 1 << bit);
    let missing: u64 = record.capabilities.iter().filter_map(mask).sum();
    let words: Vec<String> = record.capabilities.iter().map(|name| format!("{name}.{}", access.name())).collect();
    let standing = standing(policy, service, missing, access);
    if standing.is_empty() {
        return Ok(vec![added(service, &words, id, files)]);
    }
    let mut found: Vec<Change> = Vec::new();
    for rule in standing {
        let known = found.iter().position(|(path, ..)| *path == rule.place.file);
        let file = files.iter().find(|file| file.path == rule.place.file);
        let before = file.map(|file| file.text.clone()).unwrap_or_default();
        let text = known.and_then(|at| found.get(at)).map_or(before.as_str(), |(_, _, after)| after.as_str());
        let after = permitted(text, rule, &words, policy, access)?;
        match known.and_then(|at| found.get_mut(at)) {
            Some((_, _, text)) => *text = after,
            None => found.push((rule.place.file.clone(), before, after)),
        }
    }
    Ok(found)
}

/// A rule of its own for the service, in a file of its own.
fn added(service: &str, words: &[String], id: u64, files: &[PolicyFile]) -> Change {
    let mut capabilities = InlineTable::new();
    for word in words {
        capabilities.insert(word, "allow".into());
    }
    let mut rule = Table::new();
    rule.insert("name", toml_edit::value(format!("{service} may {} (audit record {id})", words.join(", "))));
    rule.insert("services", toml_edit::value(toml_edit::Array::from_iter([service])));
    rule.insert("capabilities", toml_edit::value(capabilities));
    let mut rules = toml_edit::ArrayOfTables::new();
    rules.push(rule);
    let mut document = DocumentMut::new();
    document.insert("rule", Item::ArrayOfTables(rules));
    let name = format!("allow-{}.toml", service.replace('/', "-"));
    let path = Path::new(paths::POLICY).join(name).display().to_string();
    let before = files.iter().find(|file| file.path == path).map(|file| file.text.clone()).unwrap_or_default();
    let gap = if before.is_empty() { "" } else { "\n" };
    let after = format!("{before}{gap}{document}");
    (path, before, after)
}

/// The text of a file in which one rule permits these.
fn permitted(text: &str, rule: &Rule, words: &[String], policy: &Policy, access: Access) -> Result<String, String> {
    let odd = || format!("{}: the rule `{}` cannot be found in its file again", rule.place, rule.name);
    let mut document: DocumentMut = text.parse().map_err(|_| odd())?;
    let rules = document.get_mut("rule").and_then(Item::as_array_of_tables_mut).ok_or_else(odd)?;
    let table =
        rules.iter_mut().find(|table| table.get("name").and_then(Item::as_str) == Some(&rule.name)).ok_or_else(odd)?;
    let capabilities = table.get_mut("capabilities").and_then(Item::as_table_like_mut).ok_or_else(odd)?;
    for word in words {
        let (name, _) = word.split_once('.').unwrap_or((word, ""));
        let says = policy.catalogue.index(name).and_then(|bit| rule.effect(bit, access));
        if says.is_some() {
            // What stands for this access alone is changed; beside what stands for all accesses the word for one comes first.
            match capabilities.get_mut(word).and_then(Item::as_value_mut) {
                Some(value) => {
                    let decor = value.decor().clone();
                    *value = Value::from("allow");
                    *value.decor_mut() = decor;
                }
                None => {
                    capabilities.insert(word, toml_edit::value("allow"));
                }
            }
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use policy::capability::Bits;

    const FILE: &str = r#"# kept as it is
[[rule]]
name = "web keeps off" # kept, too
services = ["web"]

[rule.capabilities]
SHELL = "prevent"
"SSH.write" = "prevent"   # why
"#;

    fn record(capability: &str, access: Access) -> Record {
        Record {
            id: 7,
            service: Some("web".into()),
            access: Some(access),
            capabilities: vec![capability.into()],
            ..Record::plain(Kind::Capability, "told".to_owned())
        }
    }

    fn suggested(text: &str, capability: &str, access: Access) -> Vec<Change> {
        let files = [PolicyFile { path: "/etc/bartizan/policy.d/a.toml".to_owned(), text: text.to_owned() }];
        let policy = actors::assemble::policy(&files, &Bits::new()).unwrap();
        let changes = changes(&record(capability, access), &policy, &files).unwrap();
        // What comes out of it is a policy, and in it the service may.
        let mut after: Vec<PolicyFile> = files.to_vec();
        for (path, _, text) in &changes {
            after.retain(|file| file.path != *path);
            after.push(PolicyFile { path: path.clone(), text: text.clone() });
        }
        let policy = actors::assemble::policy(&after, &Bits::new()).unwrap();
        let bit = policy.catalogue.index(capability).unwrap();
        assert!(standing(&policy, "web", 1 << bit, access).is_empty(), "{changes:?}");
        assert!(policy.rules.iter().any(|rule| rule.effect(bit, access) == Some(policy::rule::Effect::Allow)));
        changes
    }

    #[test]
    fn a_rule_that_names_the_service_is_changed_where_it_stands() {
        let one = suggested(FILE, "SSH", Access::Write);
        assert_eq!(one[0].2, FILE.replace("\"SSH.write\" = \"prevent\"", "\"SSH.write\" = \"allow\""));
        let other = suggested(FILE, "SHELL", Access::Execute);
        assert!(
            other[0].2.contains("SHELL = \"prevent\"\n") && other[0].2.contains("\"SHELL.execute\" = \"allow\""),
            "{}",
            other[0].2
        );
    }

    #[test]
    fn else_the_service_gets_a_rule_of_its_own() {
        for text in [FILE.replace("[\"web\"]", "[\"we*\"]"), String::new()] {
            let one = suggested(&text, "SSH", Access::Write);
            assert_eq!((one[0].0.as_str(), one[0].1.as_str()), ("/etc/bartizan/policy.d/allow-web.toml", ""));
            assert!(one[0].2.contains("services = [\"web\"]"), "{}", one[0].2);
        }
    }

    #[test]
    fn what_no_rule_permits_is_said() {
        let tamper = Record { kind: Kind::Tamper, ..record("SSH", Access::Write) };
        let listed = record("PROGRAMS(lists)", Access::Execute);
        for (record, part) in [(tamper, "operators"), (listed, "`programs` in the rule `lists`")] {
            let told = changes(&record, &Policy::default(), &[]).unwrap_err();
            assert!(told.contains(part), "{told}");
        }
    }
}
