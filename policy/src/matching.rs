//! Which rules are about a service, and how exactly each names it.

use std::collections::{BTreeMap, HashMap};

use crate::rule::{Reach, Rule};

/// The rules of a policy by what they say under `services`, so that a service asks only those that can be about it.
#[derive(Debug)]
pub struct Matching<'a> {
    rules: &'a [Rule],
    names: HashMap<&'a str, Vec<usize>>,
    /// All that is not the name of one service.
    wide: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Matching<'a> {
    /// Sorts the rules.
    pub fn new(rules: &'a [Rule]) -> Matching<'a> {
        let (mut names, mut wide) = (HashMap::<&str, Vec<usize>>::new(), BTreeMap::<&str, Vec<usize>>::new());
        for (number, rule) in rules.iter().enumerate() {
            for pattern in &rule.services {
                let about = if pattern.contains('*') {
                    wide.entry(pattern).or_default()
                } else {
                    names.entry(pattern).or_default()
                };
                about.push(number);
            }
        }
        Matching { rules, names, wide }
    }

    /// The numbers of the rules that are about a service, in their order, each with its narrowest match.
    pub fn of(&self, service: &str) -> Vec<(usize, Reach)> {
        let wide = self.wide.iter().filter(|(pattern, _)| Rule::matched(pattern, service).is_some());
        let numbers = self.names.get(service).into_iter().chain(wide.map(|(_, numbers)| numbers)).flatten();
        let mut found: Vec<(usize, Reach)> =
            numbers.filter_map(|number| Some((*number, self.rules.get(*number)?.reach(service)?))).collect();
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
        let patterns = ["web", "we*", "*eb", "*", "db", "web-1"];
        let rules: Vec<Rule> = (0u32..64)
            .map(|bits| {
                let services = patterns.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
                Rule { services: services.map(|(_, name)| (*name).to_owned()).collect(), ..Rule::default() }
            })
            .collect();
        let matching = Matching::new(&rules);
        for service in ["web", "web-1", "db", "", "x"] {
            let asked = rules.iter().enumerate().filter_map(|(number, rule)| Some((number, rule.reach(service)?)));
            assert_eq!(matching.of(service), asked.collect::<Vec<_>>(), "{service}");
        }
    }
}
