//! What one revision does otherwise than another, in words.

use std::collections::BTreeSet;
use std::fmt;

use crate::access::Access;
use crate::compiled::{Compiled, Service};
use crate::rule::Policy;

/// Nobody has seen it yet: what holds for it holds for every service without an entry of its own.
const UNSEEN: &str = "any service that is not known yet";

/// What becomes of acts that need one access of a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Refused,
    Recorded,
    Permitted,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Difference {
    /// The service, or what the difference is about.
    pub about: String,
    /// What becomes of it, in words: `loses SHELL.execute`.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.about, self.what)
    }
}

/// A revision: what it says, and what that comes to.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// What it says.
    pub policy: &'a Policy,
    /// What that comes to.
    pub compiled: &'a Compiled,
}

/// Every difference: services first, then rules and capabilities. Nothing: both do the same.
pub fn differences(before: Side<'_>, after: Side<'_>) -> Vec<Difference> {
    let mut found = Vec::new();
    let (one, other) = (&before.compiled.services, &after.compiled.services);
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for name in names {
        let held = |compiled: &'_ Compiled| compiled.services.get(name).unwrap_or(&compiled.unlisted).clone();
        service(&mut found, name, (before, &held(before.compiled)), (after, &held(after.compiled)));
        let reached = |side: Side<'_>| -> Vec<_> {
            let entries = side.compiled.outbound.iter().filter(|entry| entry.service == *name);
            let ports = |entry: &crate::compiled::Outbound| {
                entry.ports.iter().map(|range| (range.first, range.last, range.prevent)).collect::<Vec<_>>()
            };
            entries.map(|entry| (entry.address, entry.bits, ports(entry))).collect()
        };
        if reached(before) != reached(after) {
            found.push(Difference {
                about: name.clone(),
                what: "has other addresses that it may not connect to".to_owned(),
            });
        }
    }
    service(&mut found, UNSEEN, (before, &before.compiled.unlisted), (after, &after.compiled.unlisted));
    rules(&mut found, before.policy, after.policy);
    capabilities(&mut found, before.policy, after.policy);
    found
}

fn service(found: &mut Vec<Difference>, name: &str, before: (Side<'_>, &Service), after: (Side<'_>, &Service)) {
    let names: BTreeSet<&str> =
        [before.0, after.0].iter().flat_map(|side| side.policy.catalogue.iter().map(|one| one.name.as_str())).collect();
    let recorded = |side: (Side<'_>, &Service)| side.1.anomalous;
    if recorded(before) != recorded(after) {
        let word = if recorded(after) { "has on record from now on" } else { "has no longer on record" };
        found.push(Difference { about: name.to_owned(), what: format!("{word} which programs it never ran") });
    }
    for capability in names {
        let mut changed: Vec<(&'static str, Access)> = Vec::new();
        for access in Access::ALL {
            let word =
                |starting| word(fate(before, capability, access, starting), fate(after, capability, access, starting));
            let (later, at_start) = (word(false), word(true));
            changed.extend(later.map(|word| (word, access)));
            if let Some(word) = at_start.filter(|_| at_start != later) {
                let what = format!("{word} {capability}.{} while it starts", access.name());
                found.push(Difference { about: name.to_owned(), what });
            }
        }
        found
            .extend(in_words(capability, &changed).into_iter().map(|what| Difference { about: name.to_owned(), what }));
    }
}

/// What has become of it; nothing: nothing.
fn word(was: Fate, is: Fate) -> Option<&'static str> {
    match (was, is) {
        _ if was == is => None,
        (_, Fate::Refused) => Some("loses"),
        (Fate::Refused, Fate::Recorded) => Some("gains, and has on record,"),
        (Fate::Refused, _) => Some("gains"),
        (_, Fate::Recorded) => Some("has on record from now on"),
        (_, Fate::Permitted) => Some("has no longer on record"),
    }
}

/// `loses SHELL` where that goes for every access, else one entry for each.
fn in_words(capability: &str, changed: &[(&'static str, Access)]) -> Vec<String> {
    match changed.first() {
        Some((word, _)) if changed.len() == Access::COUNT && changed.iter().all(|(other, _)| other == word) => {
            vec![format!("{word} {capability}")]
        }
        _ => changed.iter().map(|(word, access)| format!("{word} {capability}.{}", access.name())).collect(),
    }
}

fn fate((side, service): (Side<'_>, &Service), capability: &str, access: Access, starting: bool) -> Fate {
    let Some(bit) = side.policy.catalogue.index(capability) else { return Fate::Permitted };
    let has = |mask: u64| mask >> bit & 1 == 1;
    let at_start = starting && has(service.subject.at_start.get(access));
    if service.exempt || at_start || has(service.subject.granted.get(access)) {
        Fate::Permitted
    } else if has(service.subject.prevent.get(access)) {
        Fate::Refused
    } else if has(service.subject.alert.get(access)) {
        Fate::Recorded
    } else {
        Fate::Permitted
    }
}

fn rules(found: &mut Vec<Difference>, before: &Policy, after: &Policy) {
    let named = |policy: &Policy| -> BTreeSet<String> { policy.rules.iter().map(|rule| rule.name.clone()).collect() };
    let (one, other) = (named(before), named(after));
    let about = |name: &String| format!("rule \"{name}\"");
    found.extend(one.difference(&other).map(|name| Difference { about: about(name), what: "is gone".to_owned() }));
    found.extend(other.difference(&one).map(|name| Difference { about: about(name), what: "is new".to_owned() }));
    for rule in &after.rules {
        let earlier = before.rules.iter().find(|earlier| earlier.name == rule.name);
        if earlier.is_some_and(|earlier| earlier.facts != rule.facts) {
            let what = "says something else about hosts, its end, its owner, its reason or its tags".to_owned();
            found.push(Difference { about: about(&rule.name), what });
        }
    }
}

fn capabilities(found: &mut Vec<Difference>, before: &Policy, after: &Policy) {
    let texts = |policy: &Policy, name: &str| {
        let one = policy.catalogue.iter().find(|one| one.name == name);
        one.map(|one| (one.executables.clone(), one.sockets.clone(), one.files.read.clone(), one.files.write.clone()))
    };
    let names: BTreeSet<String> =
        [before, after].iter().flat_map(|policy| policy.catalogue.bits().into_keys()).collect();
    for name in names {
        let what = match (texts(before, &name), texts(after, &name)) {
            (None, Some(_)) => "is new",
            (Some(_), None) => "is gone",
            (one, other) if one != other => "means other paths",
            _ => continue,
        };
        found.push(Difference { about: format!("capability {name}"), what: what.to_owned() });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::compile::{Input, ServiceModel, compile};
    use crate::host::BareHost;
    use crate::model::State;
    use crate::syntax::parse;

    fn told(before: &str, after: &str) -> Vec<String> {
        let services = ["http-server", "db"].map(|name| ServiceModel {
            name: name.to_owned(),
            state: State::Active,
            granted: [("SHELL".to_owned(), [Access::Execute].into())].into(),
            at_start: [("NET".to_owned(), [Access::Execute].into())].into(),
        });
        let side = |text: &str| {
            let policy = parse("p", text).unwrap();
            let compiled = compile(&Input { policy: &policy, services: &services, own: &[] }, &BareHost).unwrap();
            (policy, compiled)
        };
        let (one, other) = (side(before), side(after));
        let found =
            differences(Side { policy: &one.0, compiled: &one.1 }, Side { policy: &other.0, compiled: &other.1 });
        found.iter().map(ToString::to_string).collect()
    }

    const SHELL: &str =
        "[[rule]]\nname = \"r\"\nservices = [\"http-server\"]\ncapabilities = { \"SHELL.execute\" = \"prevent\" }\n";

    #[test]
    fn services_lose_and_gain() {
        assert_eq!(told("", SHELL), ["http-server loses SHELL.execute", "rule \"r\" is new"]);
        assert_eq!(told(SHELL, ""), ["http-server gains SHELL.execute", "rule \"r\" is gone"]);
        assert_eq!(told(SHELL, SHELL), [""; 0]);
        let alert = SHELL.replace("prevent", "alert");
        assert_eq!(told(SHELL, &alert), ["http-server gains, and has on record, SHELL.execute"]);
        assert_eq!(told("", &alert), ["http-server has on record from now on SHELL.execute", "rule \"r\" is new"]);
        let start = SHELL.replace("SHELL", "NET").replace("prevent", "alert");
        let expected = "http-server has on record from now on NET.execute while it starts";
        assert_eq!(told("", &start), [expected, "rule \"r\" is new"]);
        let whole = SHELL.replace("\"SHELL.execute\"", "SSH");
        assert_eq!(told("", &whole), ["http-server loses SSH", "rule \"r\" is new"]);
    }

    #[test]
    fn what_else_changes_is_told() {
        let out = "[[rule]]\nname = \"r\"\nservices = [\"db\"]\noutbound = { deny = [{ to = \"192.0.2.1\" }] }\n";
        assert_eq!(told("", out), ["db has other addresses that it may not connect to", "rule \"r\" is new"]);
        let own = "[[capability]]\nname = \"A\"\nexecutables = [\"/x\"]\n";
        assert_eq!(
            told("", own),
            ["db has on record from now on A", "http-server has on record from now on A", "capability A is new"]
        );
        assert_eq!(told(own, &own.replace("/x", "/y")), ["capability A means other paths"]);
        let owned = SHELL.replace("services", "owner = \"ops\"\nservices");
        assert_eq!(told(SHELL, &owned).len(), 1);
        let all = "[[rule]]\nname = \"r\"\nservices = [\"*\"]\nbreaks_hosts = \"accepted\"\ncapabilities = { SSH = \"prevent\" }\n";
        assert!(told("", all).contains(&"any service that is not known yet loses SSH".to_owned()));
    }
}
