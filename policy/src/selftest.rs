//! What `bartizan selftest` acts on: a service, a directory and a rule that are part of every revision, so that a test of
//! what is refused takes no change of the operator's policy.

use crate::capability::{Catalogue, Grants};
use crate::compile::ServiceModel;
use crate::model::State;
use crate::rule::{Destination, Effect, Outbound, Rule};

/// The service; each group of acts is an instance of this template.
pub const SERVICE: &str = "bartizan-selftest@";
/// Everything that is acted upon by name lies here, and is there during the test only.
pub const DIRECTORY: &str = "/run/bartizan-selftest";
/// The capability that every access below [`DIRECTORY`] needs.
pub const CAPABILITY: &str = "PRIVILEGED_PROCESSES";
/// The rule that records of the test carry.
pub const RULE: &str = "self-test";
/// UDP port (discard) of the loopback address to which the test must not connect.
pub const PORT: u16 = 9;

/// Everything is prevented, whatever the operator's rules say: the name in full wins over any glob, and `prevent` over
/// every other word.
///
/// What operators add says nothing about the test, and could keep its own program from running.
pub fn rule() -> Rule {
    let capabilities = Catalogue::builtin().iter().map(|one| ((one.bit, None), Effect::Prevent)).collect();
    let loopback = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1];
    let destination = Destination { address: loopback, bits: 128, ports: vec![(PORT, PORT)] };
    Rule {
        name: RULE.to_owned(),
        services: vec![SERVICE.to_owned()],
        capabilities,
        outbound: Some(Outbound { deny: vec![destination], prevent: true }),
        ..Rule::default()
    }
}

/// It never learns, and so has no model on disk.
pub fn model() -> ServiceModel {
    ServiceModel { name: SERVICE.to_owned(), state: State::Active, granted: Grants::new(), at_start: Grants::new() }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::access::Access;
    use crate::compile::service;
    use crate::syntax::parse;

    #[test]
    fn no_word_of_the_operator_lets_the_test_through() {
        for services in ["*", "bartizan-*", SERVICE] {
            let text = format!(
                "[[rule]]\nname = \"a\"\nservices = [\"{services}\"]\n[rule.capabilities]\nSHELL = \"allow\"\n\"SSH.write\" = \"disable\"\n"
            );
            let mut policy = parse("p", &text).expect("a rule");
            policy.rules.push(rule());
            let held = service(&policy, &model());
            for access in Access::ALL {
                assert_eq!(
                    held.subject.prevent.get(access),
                    Catalogue::builtin().all(),
                    "{services} {}",
                    access.name()
                );
                assert_eq!(held.subject.granted.get(access), 0, "{services} {}", access.name());
            }
        }
    }
}
