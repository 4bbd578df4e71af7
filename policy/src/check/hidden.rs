//! Rules that never decide anything, as others speak before them about every service that they can be about.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::finding::{Finding, named};
use super::words::{Words, example, rules_of};
use crate::matching::Matching;
use crate::rule::{Policy, is_own};

/// Rules that are named when there are more.
const SHOWN: usize = 3;

pub(super) fn found(policy: &Policy, words: &[Words<'_>]) -> Vec<Finding> {
    let matching = Matching::new(policy);
    let hidden = (0..).zip(words).filter_map(|(number, own)| {
        let by = hiders(words, &matching, number, own)?;
        let mut names: Vec<String> = by.iter().filter_map(|other| Some(named(words.get(*other)?.rule))).collect();
        let more = names.len().saturating_sub(SHOWN);
        names.truncate(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message =
            format!("it never decides anything: {}{more} comes before it in all that it says", names.join(", "));
        Some(Finding::of(own.rule, message))
    });
    hidden.collect()
}

/// The rules that come before one, if they do in everything.
fn hiders(words: &[Words<'_>], matching: &Matching<'_>, number: usize, own: &Words<'_>) -> Option<BTreeSet<usize>> {
    if own.firm || own.said().is_empty() {
        return None;
    }
    let mut by = BTreeSet::new();
    for pattern in own.rule.services.iter().filter(|pattern| !is_own(pattern)) {
        let (service, slice) = example(pattern);
        let rules = rules_of(words, matching, (&service, slice));
        let (_, reach, _) = rules.iter().find(|(other, _, _)| *other == number)?;
        for (about, effect) in own.said() {
            let mine = (*reach, *effect, Reverse(number));
            let before = rules.iter().find(|(other, reach, words)| {
                words.about(*about).is_some_and(|effect| (*reach, effect, Reverse(*other)) > mine)
                    && words.rule.facts.outlast(&own.rule.facts)
            });
            by.insert(before?.0);
        }
    }
    (!by.is_empty()).then_some(by)
}
