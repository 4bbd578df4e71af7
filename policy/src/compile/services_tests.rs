//! The table of design section 6, said once more and compared with what the masks make of it.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::access::Masks;
use crate::decide::{Verdict, decide};
use crate::syntax::parse;

const BIT: u8 = 7;

fn rule() -> impl Strategy<Value = Rule> {
    let effect = || prop_oneof![Just(Effect::Allow), Just(Effect::Alert), Just(Effect::Prevent), Just(Effect::Disable)];
    let services = prop::sample::subsequence(
        vec!["web", "we*", "*eb", "*", "db", "a.slice", "a-b.slice", "-.slice", "b.slice"],
        1..4,
    );
    let violations = prop::option::of(prop_oneof![Just(Violations::Alert), Just(Violations::Prevent)]);
    (services, violations, prop::option::of(effect()), prop::option::of(effect())).prop_map(
        |(services, violations, whole, write)| Rule {
            name: "r".to_owned(),
            services: services.into_iter().map(str::to_owned).collect(),
            violations,
            capabilities: whole
                .map(|effect| ((BIT, None), effect))
                .into_iter()
                .chain(write.map(|effect| ((BIT, Some(Access::Write)), effect)))
                .collect(),
            breaks_hosts: true,
            ..Rule::default()
        },
    )
}

/// Narrowness of the best match of a rule: 5 its name, 4 a glob, 3 to 1 the slices that it is in, 0 `*`.
fn narrowness(rule: &Rule) -> Option<u8> {
    let one = |name: &str| match name {
        "web" => Some(5),
        "we*" | "*eb" => Some(4),
        "a-b.slice" => Some(3),
        "a.slice" => Some(2),
        "-.slice" => Some(1),
        "*" => Some(0),
        _ => None,
    };
    rule.services.iter().filter_map(|name| one(name)).max()
}

fn said(rule: &Rule, access: Access) -> Option<Effect> {
    let write = rule.capabilities.get(&(BIT, Some(Access::Write))).filter(|_| access == Access::Write);
    write.or_else(|| rule.capabilities.get(&(BIT, None))).copied()
}

/// What the operator's rules, the model and the state come to, in the words of the design.
fn expected(rules: &[Rule], access: Access, granted: bool, learning: bool) -> (Verdict, bool) {
    let narrowest =
        |speaks: &dyn Fn(&Rule) -> bool| rules.iter().filter(|rule| speaks(rule)).filter_map(narrowness).max();
    let at = narrowest(&|rule| said(rule, access).is_some());
    let words: Vec<Effect> = rules
        .iter()
        .filter(|rule| at.is_some() && narrowness(rule) == at)
        .filter_map(|rule| said(rule, access))
        .collect();
    for (effect, verdict) in [(Effect::Prevent, Verdict::Deny), (Effect::Alert, Verdict::Audit)] {
        if words.contains(&effect) {
            return (verdict, learning && verdict != Verdict::Deny);
        }
    }
    if !words.is_empty() || granted {
        return (Verdict::Allow, false);
    }
    if learning {
        return (Verdict::Allow, true);
    }
    let at = narrowest(&|rule| rule.violations.is_some());
    let enforce =
        rules.iter().any(|rule| at.is_some() && narrowness(rule) == at && rule.violations == Some(Violations::Prevent));
    (if enforce { Verdict::Deny } else { Verdict::Audit }, false)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn masks_and_decide_say_what_the_table_says(
        rules in prop::collection::vec(rule(), 0..4),
        write in any::<bool>(),
        granted in any::<bool>(),
        state in prop_oneof![Just(State::Learning), Just(State::Manual), Just(State::Active)],
    ) {
        let access = if write { Access::Write } else { Access::Read };
        let granted_now = granted.then(|| ("SSH".to_owned(), [access].into())).into_iter().collect();
        let model = ServiceModel { name: "web".to_owned(), state, granted: granted_now, at_start: Grants::new() };
        let mut policy = Policy { rules, ..Policy::default() };
        policy.slices.put("web", "a-b");
        let service = service(&policy, &model);
        let rules = policy.rules;
        let mut need = Masks::NONE;
        need.insert(access, 1 << BIT);
        let decision = decide(&service.subject, &need, access, false);
        let learning = state != State::Active;
        prop_assert_eq!((decision.verdict, decision.observed != 0), expected(&rules, access, granted, learning));
        // The rule that is named for a refusal is one that refuses.
        if decision.verdict == Verdict::Deny {
            let rule = &rules[usize::from(service.rules[&(BIT, access as u8)]) - 1];
            prop_assert!(rule.prevents() && narrowness(rule).is_some());
        }
    }
}

#[test]
fn what_holds_for_all_holds_for_services_that_nobody_has_seen() {
    let text = "[[rule]]\nname = \"all\"\nservices = [\"*\"]\nbreaks_hosts = \"accepted\"\n\
                [rule.capabilities]\nDOCKER_SOCKET = \"prevent\"\n";
    let policy = parse("p", text).unwrap();
    let mut compiled = Compiled::default();
    fill(&mut compiled, &Input { policy: &policy, services: &[], own: &[] });
    let unlisted = &compiled.unlisted.subject;
    assert!(unlisted.learning && unlisted.prevent.get(Access::Connect) == 1 << 1);
    assert!(compiled.services["systemd-journald"].exempt && compiled.services["ssh"].login);
    assert_eq!(compiled.services["ssh"].subject.prevent.get(Access::Connect), 1 << 1);
}

#[test]
fn programs_of_active_services_are_told_unless_the_narrowest_rule_says_otherwise() {
    let text = "[[rule]]\nname = \"all\"\nservices = [\"*\"]\nanomalous = \"alert\"\n\
                [[rule]]\nname = \"quiet\"\nservices = [\"web\"]\nanomalous = \"disable\"\n";
    let policy = parse("p", text).unwrap();
    let held = |policy: &Policy, name: &str, state| {
        let model = ServiceModel { name: name.to_owned(), state, granted: Grants::new(), at_start: Grants::new() };
        let held = service(policy, &model);
        (held.anomalous, held.rules.get(&ANOMALOUS).copied())
    };
    assert_eq!(held(&policy, "db", State::Active), (true, Some(1)));
    assert_eq!(held(&policy, "web", State::Active), (false, Some(2)));
    assert_eq!(held(&policy, "db", State::Learning), (false, None));
    assert_eq!(held(&policy, "systemd-journald", State::Active), (false, None));
    assert_eq!(held(&Policy::default(), "db", State::Active), (true, None));
}
