//! Which rules are about a service, and how exactly each names it.

use std::collections::{BTreeMap, HashMap};

use crate::rule::{Policy, Reach, Rule};
use crate::slice::{self, Slices};

/// The rules of a policy by what they say under `services`, so that a service asks only those that can be about it.
#[derive(Debug)]
pub struct Matching<'a> {
    rules: &'a [Rule],
    slices: &'a Slices,
    names: HashMap<&'a str, Vec<usize>>,
    /// All that is not the name of one service.
    wide: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Matching<'a> {
    /// Sorts the rules.
    pub fn new(policy: &'a Policy) -> Matching<'a> {
        let Policy { rules, slices, .. } = policy;
        let (mut names, mut wide) = (HashMap::<&str, Vec<usize>>::new(), BTreeMap::<&str, Vec<usize>>::new());
        for (number, rule) in rules.iter().enumerate() {
            for pattern in &rule.services {
                let about = if pattern.contains('*') || slice::meant(pattern).is_some() {
                    wide.entry(pattern).or_default()
                } else {
                    names.entry(pattern).or_default()
                };
                about.push(number);
            }
        }
        Matching { rules, slices, names, wide }
    }

    /// The numbers of the rules that are about a service, in their order, each with its narrowest match.
    pub fn of(&self, service: &str) -> Vec<(usize, Reach)> {
        self.of_one_in(service, &self.slices.of(service))
    }

    /// The same for a service in this slice.
    pub fn of_one_in(&self, service: &str, slice: &str) -> Vec<(usize, Reach)> {
        let wide = self.wide.iter().filter(|(pattern, _)| Rule::matched(pattern, service, slice).is_some());
        let numbers = self.names.get(service).into_iter().chain(wide.map(|(_, numbers)| numbers)).flatten();
        let mut found: Vec<(usize, Reach)> =
            numbers.filter_map(|number| Some((*number, self.rules.get(*number)?.reach(service, slice)?))).collect();
        found.sort_unstable_by_key(|(number, _)| *number);
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_asking_every_rule_says() {
        let patterns = ["web", "we*", "system.slice", "*", "system-x.slice", "web-1"];
        let rules: Vec<Rule> = (0u32..64)
            .map(|bits| {
                let services = patterns.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
                Rule { services: services.map(|(_, name)| (*name).to_owned()).collect(), ..Rule::default() }
            })
            .collect();
        let policy = Policy { rules, ..Policy::default() };
        let matching = Matching::new(&policy);
        for service in ["web", "web-1", "db", "", "x@"] {
            let slice = policy.slices.of(service);
            let rules = policy.rules.iter().enumerate();
            let asked = rules.filter_map(|(number, rule)| Some((number, rule.reach(service, &slice)?)));
            assert_eq!(matching.of(service), asked.collect::<Vec<_>>(), "{service}");
        }
    }
}
