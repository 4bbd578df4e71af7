//! `[rule.programs]`: which programs services may start. In the kernel it is a capability that only this rule speaks about.

use toml::Spanned;
use toml::de::DeValue;

use super::capability::patterns;
use super::reader::Reader;
use crate::access::Access;
use crate::capability::{CAPABILITIES_MAX, Capability, Catalogue, Files, Programs, programs_of};
use crate::rule::{Effect, Rule};

/// What a rule says about programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    only: Option<Vec<String>>,
    deny: Vec<String>,
    written: bool,
    effect: Effect,
}

pub(super) fn read(reader: &mut Reader<'_>, raw: &Spanned<DeValue<'_>>) -> Option<Said> {
    let table = reader.table(raw, "expected `[rule.programs]` with only, deny or written in it")?;
    reader.keys(table, &["only", "deny", "written", "effect"]);
    let only = table.contains_key("only").then(|| patterns(reader, table, "only", Access::Execute));
    let deny = patterns(reader, table, "deny", Access::Execute);
    let mut effect = Effect::Prevent;
    if let Some(value) = table.get("effect") {
        match value.get_ref().as_str().and_then(Effect::from_name) {
            Some(found @ (Effect::Alert | Effect::Prevent)) => effect = found,
            _ => reader.refuse(value, "expected \"alert\" or \"prevent\""),
        }
    }
    let written = table.get("written").is_some_and(|value| {
        let denied = value.get_ref().as_str() == Some("deny");
        if !denied {
            reader.refuse(value, "expected \"deny\"");
        }
        denied
    });
    if only.is_none() && !table.contains_key("deny") && !table.contains_key("written") {
        reader.missing(raw, "expected only, deny or written here");
    }
    Some(Said { only, deny, written, effect })
}

/// What stands for the programs of a rule in the catalogue. It has no bit yet.
fn capability(rule: &Rule, said: &Said) -> Capability {
    Capability {
        name: programs_of(&rule.name),
        bit: 0,
        description: format!("Starting what the rule {} does not let be started", rule.name),
        severity: "high".to_owned(),
        aliases: Vec::new(),
        executables: said.deny.clone(),
        sockets: Vec::new(),
        operations: Vec::new(),
        kinds: said.written.then(|| "written".to_owned()).into_iter().collect(),
        files: Files::default(),
        programs: Some(Programs { only: said.only.clone() }),
        marks: Default::default(),
    }
}

/// What stands for the programs of rules, for those for which there is room. The others are refused.
pub(super) fn capabilities(
    catalogue: &Catalogue,
    said: &[(usize, Said)],
    rules: &[Rule],
) -> (Vec<Capability>, Vec<usize>) {
    let room = CAPABILITIES_MAX.saturating_sub(catalogue.iter().count());
    let named = said.iter().filter_map(|(rule, said)| Some(capability(rules.get(*rule)?, said)));
    (named.take(room).collect(), said.iter().skip(room).map(|(rule, _)| *rule).collect())
}

/// Has each rule speak about what stands for its programs.
pub(super) fn enter(catalogue: &Catalogue, said: Vec<(usize, Said)>, rules: &mut [Rule]) {
    for (number, said) in said {
        if let Some(rule) = rules.get_mut(number)
            && let Some(bit) = catalogue.index(&programs_of(&rule.name))
        {
            rule.capabilities.insert((bit, Some(Access::Execute)), said.effect);
        }
    }
}
