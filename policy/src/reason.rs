//! Why an act is permitted, recorded or refused, and what would turn that.

use serde::{Deserialize, Serialize};

use crate::access::{Access, Masks};
use crate::capability::is_programs;
use crate::compiled::Service;
use crate::decide::{Verdict, decide};
use crate::rule::Policy;

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
    let decision = decide(&service.subject, need, access);
    let (verdict, missing) = if service.exempt { (Verdict::Allow, 0) } else { (decision.verdict, decision.missing) };
    let rule = (0u8..64)
        .filter(|bit| missing >> bit & 1 == 1)
        .find_map(|bit| service.rules.get(&(bit, access as u8)))
        .and_then(|number| policy.rules.get(usize::from(*number).checked_sub(1)?));
    let missing = bits(missing);
    let has = bits(needed & service.subject.granted.get(access));
    let learned = !service.exempt && decision.observed != 0;
    Reason {
        verdict: word(verdict).to_owned(),
        learned,
        because: because(name, service, verdict, needed, &missing, rule.map(|rule| rule.name.as_str()), learned),
        nearest: nearest(name, service, verdict, needed, &missing, &bits(needed)),
        rule: rule.map(|rule| format!("{} ({})", rule.name, rule.place)),
        needs: bits(needed),
        has,
        missing,
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
    needed: u64,
    missing: &[String],
    rule: Option<&str>,
    learned: bool,
) -> String {
    let by =
        rule.map_or_else(|| "its model does not have it".to_owned(), |rule| format!("the rule \"{rule}\" says so"));
    match verdict {
        _ if service.exempt => format!("{name} can never be denied anything"),
        Verdict::Allow if needed == 0 => "nothing is needed for it".to_owned(),
        Verdict::Allow if learned => format!("{name} is learning, and no rule speaks about it"),
        Verdict::Allow => format!("{name} has what it needs, by its model or a rule"),
        Verdict::Audit => format!("it needs {}, which {name} has not: {by}; it is recorded", missing.join(", ")),
        Verdict::Deny => format!("it needs {}, which {name} has not: {by}; it is refused", missing.join(", ")),
    }
}

/// A rule that names the service counts before any other, save one that names it as well.
fn nearest(
    name: &str,
    service: &Service,
    verdict: Verdict,
    needed: u64,
    missing: &[String],
    needs: &[String],
) -> Option<String> {
    let line = |names: &[String], word: &str| {
        let pairs: Vec<String> = names.iter().map(|one| format!("\"{one}\" = \"{word}\"")).collect();
        format!("a rule for {name} with {}", pairs.join(", "))
    };
    if service.exempt || needed == 0 {
        return None;
    }
    match verdict {
        Verdict::Allow => Some(line(needs.get(..1).unwrap_or_default(), "prevent")),
        // Lists of programs are changed where they stand.
        _ if missing.iter().any(|one| is_programs(one)) => {
            Some("the list of programs in the rule that decided".to_owned())
        }
        Verdict::Audit | Verdict::Deny => Some(line(missing, "allow")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
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
        };
        let held = service(&policy, &model);
        let mut need = Masks::NONE;
        if let Some(bit) = policy.catalogue.index(capability) {
            need.insert(access, 1 << bit);
        }
        let first = reason(&policy, "web", &held, &need, access);
        // The nearest change does turn it.
        if let Some(change) = first.nearest.as_deref().and_then(|line| line.strip_prefix("a rule for web with ")) {
            let kept = text.replace("services = [\"web\"]", "services = [\"we*\"]");
            let turned =
                format!("{kept}\n[[rule]]\nname = \"turned\"\nservices = [\"web\"]\ncapabilities = {{ {change} }}\n");
            let policy = parse("p", &turned).unwrap();
            let second = reason(&policy, "web", &service(&policy, &model), &need, access);
            assert_ne!(first.verdict, second.verdict, "{turned}");
        }
        first
    }

    const SHELL: &str =
        "[[rule]]\nname = \"no shells\"\nservices = [\"web\"]\ncapabilities = { SHELL = \"prevent\" }\n";

    #[test]
    fn every_verdict_has_its_reason() {
        let denied = found(SHELL, State::Active, "SHELL", Access::Execute);
        assert_eq!((denied.verdict.as_str(), denied.rule.as_deref()), ("deny", Some("no shells (p:2:8)")));
        assert_eq!(denied.missing, ["SHELL.execute"]);
        assert_eq!(denied.nearest.as_deref(), Some("a rule for web with \"SHELL.execute\" = \"allow\""));
        let audited = found("", State::Active, "SSH", Access::Write);
        assert_eq!((audited.verdict.as_str(), audited.rule), ("audit", None));
        assert!(audited.because.contains("its model does not have it"), "{}", audited.because);
        let learning = found("", State::Learning, "SSH", Access::Write);
        assert_eq!((learning.verdict.as_str(), learning.learned), ("allow", true));
        let known = found("", State::Active, "NET", Access::Execute);
        assert_eq!((known.verdict.as_str(), known.has), ("allow", vec!["NET.execute".to_owned()]));
        assert_eq!(known.nearest.as_deref(), Some("a rule for web with \"NET.execute\" = \"prevent\""));
        let nothing = found("", State::Active, "", Access::Read);
        assert_eq!((nothing.because.as_str(), nothing.nearest), ("nothing is needed for it", None));
    }
}
