//! What is wrong with rules that read well, and what in them is in vain.

mod contradictions;
mod finding;
mod hidden;
mod reach;
mod words;

pub use finding::{Finding, Units, Weight};

use crate::place::Problem;
use crate::rule::{Policy, Rule};
use crate::selftest;

/// Every rule that must not be applied as it stands.
pub fn check(policy: &Policy) -> Vec<Problem> {
    let rules = &policy.rules;
    let wild = rules.iter().filter(|rule| is_wild(rule) && rule.prevents() && !rule.breaks_hosts).map(wild);
    wild.chain(rules.iter().filter(|rule| rule.name == selftest::RULE).map(taken)).collect()
}

/// What is in vain in a policy that may be applied, in the order of its lines. `now`: milliseconds since 1970, UTC; `host`:
/// the name of this host; `units`: what it has, if that is known.
pub fn findings(policy: &Policy, now: i64, host: &str, units: Option<&Units>) -> Vec<Finding> {
    let all = words::Words::all(policy);
    let mut found: Vec<Finding> = all.iter().flat_map(|words| reach::found(words, now, host, units)).collect();
    // What holds no longer stands in nobody's way.
    let rules = policy.rules.iter().filter(|rule| rule.facts.expires.is_none_or(|end| now < end)).cloned().collect();
    let living = Policy { rules, catalogue: policy.catalogue.clone(), slices: policy.slices.clone() };
    let words = words::Words::all(&living);
    found.extend(contradictions::found(&living, &words, units));
    found.extend(hidden::found(&living, &words));
    found.sort();
    found.dedup();
    found
}

/// Nearly every service is in `system.slice`.
fn is_wild(rule: &Rule) -> bool {
    rule.services.iter().any(|pattern| matches!(pattern.as_str(), "*" | "-.slice" | "system.slice"))
}

fn wild(rule: &Rule) -> Problem {
    Problem {
        place: rule.place.clone(),
        message: "a rule for every service that prevents something breaks hosts: name the services, or write \
                  breaks_hosts = \"accepted\" into the rule"
            .to_owned(),
        text: rule.name.clone(),
    }
}

fn taken(rule: &Rule) -> Problem {
    Problem {
        place: rule.place.clone(),
        message:
            "this is the name of the rule behind `bartizan selftest`, by which records of it are known: choose another"
                .to_owned(),
        text: rule.name.clone(),
    }
}

#[cfg(test)]
#[path = "check/tests.rs"]
mod tests;
