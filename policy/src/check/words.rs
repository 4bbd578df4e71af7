//! What rules say about services: a word for each access of a capability, and one for violations.

use std::collections::BTreeSet;

use crate::access::Access;
use crate::capability::{Catalogue, programs_of};
use crate::matching::Matching;
use crate::rule::{Effect, Policy, Reach, Rule, Violations};
use crate::slice;

/// What a word is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum About {
    Capability(u8, Access),
    Violations,
}

/// The words of one rule.
#[derive(Debug)]
pub(super) struct Words<'a> {
    pub(super) rule: &'a Rule,
    /// Sorted. What stands for its list of programs is left out, as no other rule speaks about that.
    said: Vec<(About, Effect)>,
    /// Whether it has something to say that no other rule can take away.
    pub(super) firm: bool,
}

impl Words<'_> {
    pub(super) fn all(policy: &Policy) -> Vec<Words<'_>> {
        policy.rules.iter().map(|rule| words(rule, &policy.catalogue)).collect()
    }

    pub(super) fn about(&self, about: About) -> Option<Effect> {
        let at = self.said.binary_search_by_key(&about, |(about, _)| *about).ok()?;
        self.said.get(at).map(|(_, effect)| *effect)
    }

    pub(super) fn said(&self) -> &[(About, Effect)] {
        &self.said
    }
}

fn words<'a>(rule: &'a Rule, catalogue: &Catalogue) -> Words<'a> {
    let own = catalogue.index(&programs_of(&rule.name));
    let named: BTreeSet<u8> = rule.capabilities.keys().map(|(bit, _)| *bit).filter(|bit| Some(*bit) != own).collect();
    let mut said: Vec<(About, Effect)> = Vec::new();
    for bit in named {
        for access in Access::ALL {
            said.extend(rule.effect(bit, access).map(|effect| (About::Capability(bit, access), effect)));
        }
    }
    said.extend(rule.violations.map(|word| match word {
        Violations::Alert => (About::Violations, Effect::Alert),
        Violations::Prevent => (About::Violations, Effect::Prevent),
    }));
    said.sort_unstable();
    Words { rule, said, firm: rule.outbound.is_some() || own.is_some() }
}

/// A service that fits a pattern and, where that can be, no other name, and its slice: what every rule comes to that fits all
/// that the pattern fits.
pub(super) fn example(pattern: &str) -> (String, &str) {
    // No unit can be called so.
    const NOBODY: &str = "\u{1}";
    match slice::meant(pattern) {
        Some(slice) => (NOBODY.to_owned(), slice),
        None => (pattern.replace('*', NOBODY), slice::ROOT),
    }
}

/// The rules about a service in a slice.
pub(super) fn rules_of<'w, 'a>(
    words: &'w [Words<'a>],
    matching: &Matching<'_>,
    (service, slice): (&str, &str),
) -> Vec<(usize, Reach, &'w Words<'a>)> {
    matching
        .of_one_in(service, slice)
        .into_iter()
        .filter_map(|(number, reach)| Some((number, reach, words.get(number)?)))
        .collect()
}

/// `SSH.write`, `SSH` for all accesses, `violations`.
pub(super) fn in_words(about: &BTreeSet<About>, catalogue: &Catalogue) -> String {
    let mut found: Vec<String> = Vec::new();
    for capability in catalogue.iter() {
        let accesses: Vec<Access> = Access::ALL
            .into_iter()
            .filter(|access| about.contains(&About::Capability(capability.bit, *access)))
            .collect();
        if accesses.len() == Access::COUNT {
            found.push(capability.name.clone());
        } else {
            found.extend(accesses.iter().map(|access| format!("{}.{}", capability.name, access.name())));
        }
    }
    if about.contains(&About::Violations) {
        found.push("violations".to_owned());
    }
    found.join(", ")
}
