//! Rules that name services equally narrowly and say different things: the stronger word counts, and the other never does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::finding::{Finding, Units, named};
use super::words::{About, Words, example, in_words, rules_of};
use crate::capability::programs_of;
use crate::matching::Matching;
use crate::pattern::Pattern;
use crate::rule::{Effect, Policy, Reach, Rule};
use crate::slice;

/// Who loses against whom, and with which words.
type Pairs = BTreeMap<(usize, usize, Effect, Effect), (BTreeSet<About>, BTreeSet<String>)>;

/// A word about something, the number of the rule, and the rule.
type Speaker<'a> = (Effect, usize, &'a Rule);

/// Services that are named when there are more.
const SHOWN: usize = 3;

pub(super) fn found(policy: &Policy, words: &[Words<'_>], units: Option<&Units>) -> Vec<Finding> {
    let matching = Matching::new(policy);
    let mut pairs = Pairs::new();
    let patterns: BTreeSet<&str> = policy.rules.iter().flat_map(|rule| &rule.services).map(String::as_str).collect();
    for pattern in &patterns {
        let (service, slice) = example(pattern);
        enter(&mut pairs, pattern, &rules_of(words, &matching, (&service, slice)));
    }
    // A beginning and an end meet in some names only.
    for service in units.iter().flat_map(|units| &units.services).filter(|name| !patterns.contains(name.as_str())) {
        let globs: Vec<_> = rules_of(words, &matching, (service, slice::ROOT))
            .into_iter()
            .filter(|(_, reach, _)| *reach == Reach::Glob)
            .collect();
        enter(&mut pairs, service, &globs);
    }
    let told = pairs.into_iter().filter_map(|((loser, winner, less, more), (about, services))| {
        let (loser, winner) = (words.get(loser)?.rule, words.get(winner)?.rule);
        let shown: Vec<&str> = services.iter().take(SHOWN).map(String::as_str).collect();
        let rest = if services.len() > SHOWN { format!(" and {} more", services.len() - SHOWN) } else { String::new() };
        let message = format!(
            "for {}{rest} it says {} = \"{}\", and {}, which names it as narrowly, says \"{}\": that counts",
            shown.join(", "),
            in_words(&about, &policy.catalogue),
            less.name(),
            named(winner),
            more.name()
        );
        Some(Finding::of(loser, message))
    });
    told.chain(programs(policy, &patterns)).collect()
}

/// Enters who loses about a service among those that name it equally narrowly.
fn enter(pairs: &mut Pairs, service: &str, rules: &[(usize, Reach, &Words<'_>)]) {
    let mut said = BTreeMap::<(Reach, About), Vec<Speaker<'_>>>::new();
    for (number, reach, words) in rules {
        for (about, effect) in words.said() {
            said.entry((*reach, *about)).or_default().push((*effect, *number, words.rule));
        }
    }
    for ((_, about), mut speakers) in said {
        speakers.sort_by_key(|(effect, number, _)| (std::cmp::Reverse(*effect), *number));
        for (less, loser, rule) in &speakers {
            let stronger = speakers.iter().take_while(|(effect, _, _)| effect > less);
            let mut meeting = stronger.filter(|(_, _, other)| other.facts.meet(&rule.facts));
            if let Some((more, winner, _)) = meeting.next() {
                let (words, services) = pairs.entry((*loser, *winner, *less, *more)).or_default();
                words.insert(about);
                services.insert(service.to_owned());
            }
        }
    }
}

/// What one rule lists as the only programs and another, about the same service, refuses.
fn programs(policy: &Policy, patterns: &BTreeSet<&str>) -> Vec<Finding> {
    let lists: Vec<_> = policy
        .rules
        .iter()
        .filter_map(|rule| {
            let name = programs_of(&rule.name);
            let list = policy.catalogue.iter().find(|one| one.name == name)?;
            let prevents = rule.capabilities.get(&(list.bit, Some(crate::access::Access::Execute)));
            Some((rule, list, prevents == Some(&Effect::Prevent)))
        })
        .collect();
    let share = |one: &Rule, other: &Rule| {
        let mut examples = patterns.iter().map(|pattern| example(pattern));
        examples.any(|(name, slice)| one.reach(&name, slice).and(other.reach(&name, slice)).is_some())
    };
    let mut found = Vec::new();
    for (one, listed, _) in &lists {
        let Some(only) = listed.programs.as_ref().and_then(|programs| programs.only.as_ref()) else { continue };
        for (other, refused, _) in lists.iter().filter(|(_, _, prevents)| *prevents) {
            let both: Vec<&str> = only
                .iter()
                .filter(|program| refused.executables.iter().any(|text| fits(text, program)))
                .map(String::as_str)
                .collect();
            if !both.is_empty() && one.facts.meet(&other.facts) && share(one, other) {
                let where_ = if one.name == other.name { "its own deny".to_owned() } else { named(other) };
                let message = format!(
                    "it lists {} among the only programs, and {where_} refuses that: that counts",
                    both.join(", ")
                );
                found.push(Finding::of(one, message));
            }
        }
    }
    found
}

fn fits(pattern: &str, program: &str) -> bool {
    let path = Path::new(program);
    pattern == program || path.is_absolute() && Pattern::parse(pattern).is_ok_and(|pattern| pattern.fits_path(path))
}
