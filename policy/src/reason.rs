//! Why an act is permitted, recorded or refused, and what would turn that.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::access::{Access, Masks};
use crate::capability::is_programs;
use crate::compile::connections;
use crate::compiled::Service;
use crate::decide::{Verdict, decide};
use crate::outbound::decides;
use crate::rule::{Effect, Policy, Reach, Rule};
use crate::slice::ROOT;

/// The verdict about an act, with what led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// `allow`, `audit` or `deny`.
    pub verdict: String,
    /// Whether a learning service would have it in its model from then on.
    pub learned: bool,
    /// What the act needs: `SSH.write`.
    pub needs: Vec<String>,
    /// What of that the service has.
    pub has: Vec<String>,
    /// What led to the verdict; empty where nothing is missing.
    pub missing: Vec<String>,
    /// What of that it has while it starts.
    #[serde(default)]
    pub at_start: Vec<String>,
    /// The rule that decided, as `name (file:line:column)`; none: the model did, or nothing is needed.
    pub rule: Option<String>,
    /// One sentence.
    pub because: String,
    /// The smallest change that would turn the verdict; none where no policy can.
    pub nearest: Option<String>,
}

/// Decides as the kernel does. `service` is what it holds about the service of this name.
pub fn reason(policy: &Policy, name: &str, service: &Service, need: &Masks, access: Access) -> Reason {
    let bits = |mask: u64| -> Vec<String> {
        policy.catalogue.names(mask).into_iter().map(|name| format!("{name}.{}", access.name())).collect()
    };
    let needed = need.get(access);
    let decision = decide(&service.subject, need, access, false);
    let (verdict, missing) = if service.exempt { (Verdict::Allow, 0) } else { (decision.verdict, decision.missing) };
    let rule = service.decided_by(missing, access).and_then(|number| policy.rules.get(number));
    let standing: Vec<String> =
        standing(policy, name, missing, access).iter().map(|rule| format!("{} ({})", rule.name, rule.place)).collect();
    let at_start = bits(missing & service.subject.at_start.get(access));
    let missing = bits(missing);
    let has = bits(needed & service.subject.granted.get(access));
    let learned = !service.exempt && decision.observed != 0;
    Reason {
        verdict: word(verdict).to_owned(),
        learned,
        because: because(
            name,
            service,
            verdict,
            (needed, &missing),
            &at_start,
            (rule.map(|rule| rule.name.as_str()), learned),
        ),
        nearest: nearest(name, service.exempt, verdict, &bits(needed), &missing, &standing),
        rule: rule.map(|rule| format!("{} ({})", rule.name, rule.place)),
        needs: bits(needed),
        at_start,
        has,
        missing,
    }
}

/// Decides about a connection as the kernel does. `loose`: the service is refused nothing for a while.
pub fn of_connection(policy: &Policy, name: &str, exempt: bool, loose: bool, to: SocketAddr) -> Reason {
    let entries = if exempt { Vec::new() } else { connections(policy, name) };
    let range = decides(&entries, name, to.ip(), to.port());
    let rule = range.and_then(|range| policy.rules.get(usize::from(range.rule)));
    let rule = rule.map(|rule| format!("{} ({})", rule.name, rule.place));
    let verdict = match range {
        Some(range) if range.prevent && !loose => Verdict::Deny,
        Some(_) => Verdict::Audit,
        None => Verdict::Allow,
    };
    let says = rule.as_deref().unwrap_or_default();
    Reason {
        verdict: word(verdict).to_owned(),
        because: match verdict {
            _ if exempt => format!("{name} can never be denied anything"),
            Verdict::Allow => format!("no outbound rule for {name} speaks about this address and port"),
            Verdict::Audit => format!("the outbound rule {says} speaks about it; it is recorded"),
            Verdict::Deny => format!("the outbound rule {says} speaks about it; it is refused"),
        },
        nearest: (!exempt).then(|| match verdict {
            Verdict::Allow => {
                format!("a rule for {name} with outbound.deny = [{{ to = \"{}\", ports = [{}] }}]", to.ip(), to.port())
            }
            _ => "the addresses and ports in the rule that decided".to_owned(),
        }),
        learned: false,
        needs: Vec::new(),
        has: Vec::new(),
        missing: Vec::new(),
        at_start: Vec::new(),
        rule,
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Audit => "audit",
        Verdict::Deny => "deny",
    }
}

fn because(
    name: &str,
    service: &Service,
    verdict: Verdict,
    (needed, missing): (u64, &[String]),
    at_start: &[String],
    (rule, learned): (Option<&str>, bool),
) -> String {
    let by = match rule {
        Some(rule) => format!("the rule \"{rule}\" says so"),
        None if !at_start.is_empty() => "its model has seen it in starts only".to_owned(),
        None => "its model does not have it".to_owned(),
    };
    let has = if at_start.is_empty() { "has not" } else { "has only while it starts" };
    match verdict {
        _ if service.exempt => format!("{name} can never be denied anything"),
        Verdict::Allow if needed == 0 => "nothing is needed for it".to_owned(),
        Verdict::Allow if learned => format!("{name} is learning, and no rule speaks about it"),
        Verdict::Allow => format!("{name} has what it needs, by its model or a rule"),
        Verdict::Audit => format!("it needs {}, which {name} {has}: {by}; it is recorded", missing.join(", ")),
        Verdict::Deny => format!("it needs {}, which {name} {has}: {by}; it is refused", missing.join(", ")),
    }
}

/// Rules that name the service itself and say no: a rule for it beside them would not count, as the stronger word does.
pub fn standing<'a>(policy: &'a Policy, name: &str, missing: u64, access: Access) -> Vec<&'a Rule> {
    let says_no = |rule: &&Rule| {
        let bits = (0u8..64).filter(|bit| missing >> bit & 1 == 1);
        let mut words = bits.filter_map(|bit| rule.effect(bit, access));
        rule.reach(name, ROOT) == Some(Reach::Name) && words.any(|word| word > Effect::Allow)
    };
    policy.rules.iter().filter(says_no).collect()
}

fn nearest(
    name: &str,
    exempt: bool,
    verdict: Verdict,
    needs: &[String],
    missing: &[String],
    standing: &[String],
) -> Option<String> {
    let pairs = |names: &[String], word: &str| {
        names.iter().map(|one| format!("\"{one}\" = \"{word}\"")).collect::<Vec<_>>().join(", ")
    };
    if exempt || needs.is_empty() {
        return None;
    }
    Some(match verdict {
        Verdict::Allow => format!("a rule for {name} with {}", pairs(needs.get(..1).unwrap_or_default(), "prevent")),
        // Lists of programs are changed where they stand.
        _ if missing.iter().any(|one| is_programs(one)) => "the list of programs in the rule that decided".to_owned(),
        _ if standing.is_empty() => format!("a rule for {name} with {}", pairs(missing, "allow")),
        _ => {
            format!("{} instead in the rules that name {name} itself: {}", pairs(missing, "allow"), standing.join(", "))
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::compile::{ServiceModel, service};
    use crate::model::State;
    use crate::syntax::parse;

    fn found(text: &str, state: State, capability: &str, access: Access) -> Reason {
        let policy = parse("p", text).unwrap();
        let model = ServiceModel {
            name: "web".to_owned(),
            state,
            granted: [("NET".to_owned(), [Access::Execute].into())].into(),
            at_start: [("SSH".to_owned(), [Access::Read].into())].into(),
        };
        let held = service(&policy, &model);
        let mut need = Masks::NONE;
        if let Some(bit) = policy.catalogue.index(capability) {
            need.insert(access, 1 << bit);
        }
        let first = reason(&policy, "web", &held, &need, access);
        // The nearest change does turn it, made as it is told.
        if let Some(change) = &first.nearest {
            let turned = match (change.strip_prefix("a rule for web with "), change.split_once(" instead in the rules"))
            {
                (Some(words), _) => {
                    format!("{text}\n[[rule]]\nname = \"turned\"\nservices = [\"web\"]\ncapabilities = {{ {words} }}\n")
                }
                (_, Some((words, rules))) => {
                    assert!(policy.rules.iter().all(|rule| rules.contains(&rule.name)), "{rules}");
                    text.replace("capabilities = { ", &format!("capabilities = {{ {words}, "))
                }
                _ => panic!("{change}"),
            };
            let policy = parse("p", &turned).unwrap();
            let second = reason(&policy, "web", &service(&policy, &model), &need, access);
            assert_ne!(first.verdict, second.verdict, "{turned}");
        }
        first
    }

    const SHELL: &str =
        "[[rule]]\nname = \"no shells\"\nservices = [\"web\"]\ncapabilities = { SHELL = \"prevent\" }\n";

    #[test]
    fn a_connection_meets_the_rule_of_the_longest_prefix() {
        let text = "[[rule]]\nname = \"no mail\"\nservices = [\"web\"]\n[rule.outbound]\ndeny = [{ to = \"0.0.0.0/0\", \
                    ports = [25] }]\n[[rule]]\nname = \"strangers\"\nservices = [\"w*\"]\n[rule.outbound]\ndeny = [{ to = \
                    \"203.0.113.0/24\" }]\neffect = \"alert\"\n";
        let policy = parse("p", text).unwrap();
        let of = |name, exempt, loose, to: &str| of_connection(&policy, name, exempt, loose, to.parse().unwrap());
        let verdict = |name, to: &str| of(name, false, false, to).verdict;
        for (to, expected) in [
            ("198.51.100.7:25", "deny"),
            ("[::ffff:198.51.100.7]:25", "deny"),
            ("203.0.113.9:25", "deny"),
            ("203.0.113.9:443", "audit"),
            ("198.51.100.7:443", "allow"),
            ("[2001:db8::1]:25", "allow"),
        ] {
            assert_eq!(verdict("web", to), expected, "{to}");
        }
        assert_eq!(
            (verdict("wiki", "203.0.113.9:25").as_str(), verdict("db", "203.0.113.9:25").as_str()),
            ("audit", "allow")
        );
        let denied = of("web", false, false, "198.51.100.7:25");
        assert_eq!(denied.rule.as_deref(), Some("no mail (p:2:8)"));
        assert_eq!(of("web", false, true, "198.51.100.7:25").verdict, "audit", "permissive");
        assert_eq!(of("web", true, false, "198.51.100.7:25").verdict, "allow", "exempt");
        // The nearest change does turn it.
        let change = of("db", false, false, "[2001:db8::1]:25").nearest.unwrap();
        let deny = change.strip_prefix("a rule for db with outbound.deny = ").unwrap();
        let turned =
            format!("{text}[[rule]]\nname = \"turned\"\nservices = [\"db\"]\n[rule.outbound]\ndeny = {deny}\n");
        let turned = parse("p", &turned).unwrap();
        assert_eq!(of_connection(&turned, "db", false, false, "[2001:db8::1]:25".parse().unwrap()).verdict, "deny");
    }

    #[test]
    fn every_verdict_has_its_reason() {
        let denied = found(SHELL, State::Active, "SHELL", Access::Execute);
        assert_eq!((denied.verdict.as_str(), denied.rule.as_deref()), ("deny", Some("no shells (p:2:8)")));
        assert_eq!(denied.missing, ["SHELL.execute"]);
        let there = "\"SHELL.execute\" = \"allow\" instead in the rules that name web itself: no shells (p:2:8)";
        assert_eq!(denied.nearest.as_deref(), Some(there));
        let two = format!("{SHELL}{}", SHELL.replace("no shells", "none at all").replace("prevent", "alert"));
        assert!(found(&two, State::Active, "SHELL", Access::Execute).nearest.unwrap().ends_with("none at all (p:6:8)"));
        let wide = found(&SHELL.replace("[\"web\"]", "[\"we*\"]"), State::Active, "SHELL", Access::Execute);
        assert_eq!(wide.nearest.as_deref(), Some("a rule for web with \"SHELL.execute\" = \"allow\""));
        let audited = found("", State::Active, "SSH", Access::Write);
        assert_eq!((audited.verdict.as_str(), audited.rule), ("audit", None));
        assert!(audited.because.contains("its model does not have it"), "{}", audited.because);
        let learning = found("", State::Learning, "SSH", Access::Write);
        assert_eq!((learning.verdict.as_str(), learning.learned), ("allow", true));
        let known = found("", State::Active, "NET", Access::Execute);
        assert_eq!((known.verdict.as_str(), known.has), ("allow", vec!["NET.execute".to_owned()]));
        assert_eq!(known.nearest.as_deref(), Some("a rule for web with \"NET.execute\" = \"prevent\""));
        let starts = found("", State::Active, "SSH", Access::Read);
        assert_eq!((starts.verdict.as_str(), starts.at_start), ("audit", vec!["SSH.read".to_owned()]));
        assert!(starts.because.contains("which web has only while it starts"), "{}", starts.because);
        let nothing = found("", State::Active, "", Access::Read);
        assert_eq!((nothing.because.as_str(), nothing.nearest), ("nothing is needed for it", None));
    }
}
