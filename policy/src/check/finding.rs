//! What an operator would want to know about rules that may be applied.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::place::Place;
use crate::rule::Rule;

/// Whether it is so wherever the rules are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Everywhere: something in the rules is in vain.
    Finding,
    /// On this host, at least: hosts may share rules.
    Note,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where the rule stands.
    pub place: Place,
    /// Where it is so.
    pub weight: Weight,
    /// One sentence.
    pub message: String,
    /// Name of the rule.
    pub rule: String,
}

impl Finding {
    pub(super) fn of(rule: &Rule, message: String) -> Finding {
        Finding { place: rule.place.clone(), weight: Weight::Finding, message, rule: rule.name.clone() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.weight == Weight::Finding { "finding" } else { "note" };
        write!(out, "{}: {word}: {}: `{}`", self.place, self.message, self.rule.escape_debug())
    }
}

/// Another rule, in a sentence.
pub(super) fn named(rule: &Rule) -> String {
    format!("the rule \"{}\" ({})", rule.name, rule.place)
}

/// The units of a host, without `.service`, as far as they can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// Services; instances of a template are one.
    pub services: BTreeSet<String>,
    /// Other names of services, with the name that Bartizan knows them by.
    pub aliases: BTreeMap<String, String>,
    /// Slices, without `.slice`.
    pub slices: BTreeSet<String>,
}
