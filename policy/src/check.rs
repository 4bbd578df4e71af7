//! What is wrong with rules that read well.

use crate::place::Problem;
use crate::rule::{Policy, Rule};
use crate::selftest;

/// Every rule that must not be applied as it stands.
pub fn check(policy: &Policy) -> Vec<Problem> {
    let rules = &policy.rules;
    let wild = rules.iter().filter(|rule| is_wild(rule) && rule.prevents() && !rule.breaks_hosts).map(wild);
    wild.chain(rules.iter().filter(|rule| rule.name == selftest::RULE).map(taken)).collect()
}

fn is_wild(rule: &Rule) -> bool {
    rule.services.iter().any(|pattern| pattern == "*")
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::syntax::parse;

    #[test]
    fn the_name_of_the_self_tests_rule_is_taken() {
        let found = check(&parse("p", "[[rule]]\nname = \"self-test\"\nservices = [\"a\"]\n").unwrap());
        assert!(found.iter().all(|problem| problem.to_string().starts_with("p:2:8: this is the name")), "{found:?}");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn preventing_for_every_service_takes_an_explicit_word() {
        let bare = "[[rule]]\nname = \"a\"\nservices = [\"*\"]\n";
        for more in [
            "violations = \"prevent\"\n",
            "capabilities = { SHELL = \"prevent\" }\n",
            "outbound = { deny = [{ to = \"192.0.2.1\" }] }\n",
        ] {
            let text = format!("{bare}{more}");
            let found = check(&parse("p", &text).unwrap());
            assert_eq!(found.len(), 1, "{more}");
            assert!(found.iter().all(|problem| problem.to_string().starts_with("p:2:8: a rule for every service")));
            let accepted = format!("{text}breaks_hosts = \"accepted\"\n");
            assert!(check(&parse("p", &accepted).unwrap()).is_empty(), "{more}");
        }
        assert!(check(&parse("p", &format!("{bare}violations = \"alert\"\n")).unwrap()).is_empty());
    }
}
