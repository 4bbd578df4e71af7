//! Numbers of rules that stay: what is not about a rule that has changed is then the same in the kernel as before.

use std::collections::HashMap;

use crate::compiled::Compiled;

impl Compiled {
    /// Gives each rule the number that its name had `before`, and a new one the first number that is free. Numbers that no
    /// rule has are left as empty names.
    pub fn renumber(&mut self, before: &[String]) {
        let known: HashMap<&str, usize> = before.iter().zip(0..).map(|(name, at)| (name.as_str(), at)).collect();
        let kept: Vec<Option<usize>> = self.rules.iter().map(|name| known.get(name.as_str()).copied()).collect();
        let taken: std::collections::HashSet<usize> = kept.iter().flatten().copied().collect();
        let mut free = (0..).filter(|at| !taken.contains(at));
        let numbers: Vec<usize> = kept.into_iter().map(|at| at.or_else(|| free.next()).unwrap_or(0)).collect();
        let mut names = vec![String::new(); numbers.iter().max().map_or(0, |last| last + 1)];
        for (name, at) in std::mem::take(&mut self.rules).into_iter().zip(&numbers) {
            if let Some(place) = names.get_mut(*at) {
                *place = name;
            }
        }
        self.rules = names;
        // Numbers fit, as `compile` has refused more rules than there are numbers.
        let number = |old: usize| u16::try_from(numbers.get(old).copied().unwrap_or(old)).unwrap_or(u16::MAX);
        for service in self.services.values_mut().chain([&mut self.unlisted]) {
            for rule in service.rules.values_mut().filter(|rule| **rule != 0) {
                *rule = number(usize::from(*rule) - 1).saturating_add(1);
            }
        }
        for range in self.outbound.iter_mut().flat_map(|entry| &mut entry.ports) {
            range.rule = number(range.rule.into());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use crate::compile::{Input, compile};
    use crate::compiled::Compiled;
    use crate::host::BareHost;
    use crate::syntax::parse;

    fn compiled(names: &[&str]) -> Compiled {
        let rule = |name: &&str| {
            format!(
                "[[rule]]\nname = \"{name}\"\nservices = [\"s-{name}\"]\ncapabilities = {{ \"SHELL.read\" = \"prevent\" }}\n\
                 outbound = {{ deny = [{{ to = \"192.0.2.1\" }}] }}\n"
            )
        };
        let policy = parse("p", &names.iter().map(rule).collect::<String>()).unwrap();
        compile(&Input { policy: &policy, services: &[], own: &[] }, &BareHost).unwrap()
    }

    /// The name of the rule that decides about a service, and the one that denies it an address.
    fn named<'a>(compiled: &'a Compiled, service: &str) -> (&'a str, &'a str) {
        let decides = compiled.services[service].rules.values().next().unwrap();
        let denies = compiled.outbound.iter().find(|entry| entry.service == service).unwrap().ports[0].rule;
        (&compiled.rules[usize::from(*decides) - 1], &compiled.rules[usize::from(denies)])
    }

    #[test]
    fn rules_keep_their_numbers_whatever_comes_before_them() {
        let mut one = compiled(&["b", "c", "d"]);
        one.renumber(&[]);
        assert_eq!(one.rules, ["b", "c", "d"]);
        let mut two = compiled(&["a", "aa", "b", "d"]);
        two.renumber(&one.rules);
        assert_eq!(two.rules, ["b", "a", "d", "aa"]);
        for name in ["a", "aa", "b", "d"] {
            assert_eq!(named(&two, &format!("s-{name}")), (name, name));
        }
        assert_eq!(one.services["s-d"].rules, two.services["s-d"].rules, "nothing has changed about it");
        let mut three = compiled(&["d"]);
        three.renumber(&two.rules);
        assert_eq!((three.rules.join(","), named(&three, "s-d")), (",,d".to_owned(), ("d", "d")));
    }
}
