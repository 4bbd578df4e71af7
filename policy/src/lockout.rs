//! The lockout proof: before a revision counts, the acts that let people in and keep a machine alive are decided under it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::access::{Access, Masks};
use crate::baseline;
use crate::capability::Grants;
use crate::compile::{ServiceModel, service};
use crate::compiled::{Compiled, Service};
use crate::decide::{Verdict, decide};
use crate::explain::Walk;
use crate::host::Mount;
use crate::model::State;
use crate::place::{Place, Problem};
use crate::rule::{Policy, Rule};

const TEXT: &str = include_str!("../lockout/acts.toml");

static ACTS: LazyLock<Vec<Act>> = LazyLock::new(|| {
    // The test below keeps a file that does not parse from being built.
    toml::from_str(TEXT).map(|file: File| file.act).unwrap_or_default()
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    act: Vec<Act>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    protects: String,
    services: Vec<String>,
    #[serde(default)]
    execute: Vec<String>,
    #[serde(default)]
    read: Vec<String>,
    #[serde(default)]
    write: Vec<String>,
}

impl Act {
    fn objects(&self) -> impl Iterator<Item = (Access, &String)> {
        let with = |access: Access| move |path| (access, path);
        let (execute, read) =
            (self.execute.iter().map(with(Access::Execute)), self.read.iter().map(with(Access::Read)));
        execute.chain(read).chain(self.write.iter().map(with(Access::Write)))
    }
}

/// Whether a service does one of the acts.
pub fn protects(service: &str) -> bool {
    ACTS.iter().any(|act| act.services.iter().any(|name| name == service))
}

/// When rules end that say something about a service which does one of the acts, after `now`, with the names of those rules.
pub fn ends(policy: &Policy, now: i64) -> BTreeMap<i64, Vec<String>> {
    let services: BTreeSet<&String> = ACTS.iter().flat_map(|act| &act.services).collect();
    let slices: Vec<_> = services.iter().map(|service| policy.slices.of(service)).collect();
    let about = |rule: &Rule| services.iter().zip(&slices).any(|(service, slice)| rule.reach(service, slice).is_some());
    let mut found = BTreeMap::<i64, Vec<String>>::new();
    for rule in policy.rules.iter().filter(|rule| about(rule)) {
        if let Some(end) = rule.facts.expires.filter(|end| now < *end) {
            found.entry(end).or_default().push(rule.name.clone());
        }
    }
    found
}

/// Every act that the revision would refuse, with the service that does it and at the rule that refuses it. `mounts`: those of the host.
/// A service that the revision has no entry for is decided as it would be at its first start.
pub fn proof(policy: &Policy, compiled: &Compiled, mounts: &[Mount]) -> Vec<(String, Problem)> {
    let walk = Walk::new(compiled);
    let mut found: Vec<(String, Problem)> = Vec::new();
    for act in ACTS.iter() {
        for name in &act.services {
            let service = compiled.services.get(name).cloned().unwrap_or_else(|| at_first_start(policy, name));
            for (access, path) in act.objects() {
                let label = walk.label_at(Path::new(path), mounts);
                let mut need = label.need;
                if access == Access::Execute {
                    need.insert(access, walk.unlisted(&label));
                }
                let Some(by) = refused(&service, need, access) else { continue };
                let rule = by.and_then(|number| policy.rules.get(number));
                if rule.is_some_and(|rule| rule.breaks_hosts) {
                    continue;
                }
                let message = format!(
                    "{name} could not {} {path} any more, which protects: {}. Give it that in a rule, or write breaks_hosts = \
                     \"accepted\" into this one",
                    access.name(),
                    act.protects
                );
                let (place, text) = rule
                    .map_or_else(|| (Place::default(), String::new()), |rule| (rule.place.clone(), rule.name.clone()));
                found.push((name.clone(), Problem { place, message, text }));
            }
        }
    }
    found
}

fn at_first_start(policy: &Policy, name: &str) -> Service {
    let model = ServiceModel {
        name: name.to_owned(),
        state: State::Learning,
        granted: baseline::grants(name),
        at_start: Grants::new(),
    };
    service(policy, &model)
}

/// Whether an act is refused, and by which rule if one can be named.
fn refused(service: &Service, need: Masks, access: Access) -> Option<Option<usize>> {
    if service.exempt {
        return None;
    }
    let decision = decide(&service.subject, &need, access, false);
    (decision.verdict == Verdict::Deny).then(|| service.decided_by(decision.missing, access))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::compile::{Input, compile};
    use crate::host::BareHost;
    use crate::syntax::parse;

    fn told(text: &str, services: &[ServiceModel]) -> Vec<String> {
        let policy = parse("p", text).unwrap();
        let compiled = compile(&Input { policy: &policy, services, own: &[] }, &BareHost).unwrap();
        proof(&policy, &compiled, &[]).iter().map(|(_, problem)| problem.to_string()).collect()
    }

    fn rule(services: &str, capabilities: &str) -> String {
        format!("[[rule]]\nname = \"r\"\nservices = [\"{services}\"]\n{capabilities}\n")
    }

    #[test]
    fn the_file_is_whole() {
        let file: File = toml::from_str(TEXT).expect("lockout/acts.toml parses");
        assert!(file.act.iter().all(|act| act.objects().count() > 0 && !act.services.is_empty()));
        for word in ["boot", "ssh login", "package upgrades", "log rotation", "stopping Bartizan"] {
            assert!(file.act.iter().any(|act| act.protects.contains(word)), "{word}");
        }
    }

    #[test]
    fn an_empty_policy_locks_nobody_out() {
        assert_eq!(told("", &[]), [""; 0]);
    }

    #[test]
    fn a_rule_that_would_keep_people_out_is_refused_and_says_what_it_would_break() {
        for (services, capabilities, part) in [
            (
                "ssh",
                "capabilities = { \"USERS_ADMIN.read\" = \"prevent\" }",
                "ssh could not read /etc/shadow any more, which protects: ssh login",
            ),
            ("getty@", "capabilities = { USERS = \"prevent\" }", "login on a console"),
            ("logrotate", "capabilities = { SYSTEM_LOGS = \"prevent\" }", "log rotation"),
            ("apt-*", "capabilities = { INSTALLER = \"prevent\" }", "package upgrades"),
            ("systemd-*", "capabilities = { USERS = \"prevent\" }", "sessions of people"),
            ("logrotate", "programs = { only = [\"logrotate\"] }", "logrotate could not execute /bin/sh"),
        ] {
            let found = told(&rule(services, capabilities), &[]);
            assert!(found.iter().any(|line| line.starts_with("p:2:8: ") && line.contains(part)), "{found:?}");
            let accepted = rule(services, &format!("{capabilities}\nbreaks_hosts = \"accepted\""));
            assert_eq!(told(&accepted, &[]), [""; 0], "{services}");
        }
    }

    #[test]
    fn a_model_that_does_not_have_it_locks_out_once_it_is_enforced() {
        let model =
            |state| ServiceModel { name: "ssh".to_owned(), state, granted: Grants::new(), at_start: Grants::new() };
        let enforced = rule("ssh", "violations = \"prevent\"");
        assert_eq!(told(&enforced, &[model(State::Learning)]), [""; 0], "not while it learns");
        assert!(!told(&enforced, &[model(State::Active)]).is_empty());
    }
}
