//! The operator's word.

use std::collections::BTreeMap;

use crate::access::Access;
use crate::baseline;
use crate::capability::Catalogue;
use crate::place::Place;
use crate::selftest;
use crate::slice::{self, Slices};

/// What a rule says about a capability, see design section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Not looked at.
    Disable,
    /// Always in order, even if never seen.
    Allow,
    /// Permitted, always recorded.
    Alert,
    /// Never, even if learned.
    Prevent,
}

impl Effect {
    /// Its name in TOML.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Allow => "allow",
            Effect::Alert => "alert",
            Effect::Prevent => "prevent",
            Effect::Disable => "disable",
        }
    }

    /// The effect of this name in TOML.
    pub fn from_name(name: &str) -> Option<Effect> {
        match name {
            "allow" => Some(Effect::Allow),
            "alert" => Some(Effect::Alert),
            "prevent" => Some(Effect::Prevent),
            "disable" => Some(Effect::Disable),
            _ => None,
        }
    }
}

/// What happens to acts that neither the model nor a rule grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violations {
    /// They are recorded.
    #[default]
    Alert,
    /// They are refused: the model is enforced.
    Prevent,
}

/// Addresses that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Address; IPv4 as `::ffff:a.b.c.d`.
    pub address: [u8; 16],
    /// Bits of it that count, 0 to 128.
    pub bits: u8,
    /// Port ranges, both ends included; empty: all ports.
    pub ports: Vec<(u16, u16)>,
}

/// Addresses that services may not connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// Which.
    pub deny: Vec<Destination>,
    /// Refuse (`true`) or record.
    pub prevent: bool,
}

/// The operator's word, whole.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The capabilities that are built in, and those that the operator adds.
    pub catalogue: Catalogue,
    /// The rules, in the order of the files and their lines.
    pub rules: Vec<Rule>,
    /// Where services are on this host.
    pub slices: Slices,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { catalogue: Catalogue::builtin().clone(), rules: Vec::new(), slices: Slices::default() }
    }
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Its name, which audit records carry; unique in a policy.
    pub name: String,
    /// Names of services, `a*`, `*a`, `*`, or a slice: `a-b.slice`.
    pub services: Vec<String>,
    /// What happens to violations; `None`: the rule says nothing about them.
    pub violations: Option<Violations>,
    /// Whether it is recorded that an active service ran a program that it never ran, or that a service was seen for the first
    /// time on a host whose services are all active: [`Effect::Alert`] or [`Effect::Disable`]; `None`: the rule says nothing.
    pub anomalous: Option<Effect>,
    /// Per capability, and per access where one is named.
    pub capabilities: BTreeMap<(u8, Option<Access>), Effect>,
    /// Addresses.
    pub outbound: Option<Outbound>,
    /// Whether the operator accepted that the rule may break hosts.
    pub breaks_hosts: bool,
    /// Where it stands.
    pub place: Place,
    /// For whom and how long it holds, and what people want to know about it.
    pub facts: Facts,
}

/// What a rule says beside what it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Names of hosts on which it holds, `a*`, `*a` or `*`; empty: on all.
    pub hosts: Vec<String>,
    /// When it ends, milliseconds since 1970, UTC.
    pub expires: Option<i64>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Why it is there.
    pub reason: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
}

impl Facts {
    /// Whether the rule holds on this host at this time, milliseconds since 1970, UTC.
    pub fn hold(&self, host: &str, now: i64) -> bool {
        let here = self.hosts.is_empty() || self.hosts.iter().any(|pattern| reach(pattern, host).is_some());
        here && self.expires.is_none_or(|end| now < end)
    }
}

impl Facts {
    /// Whether there can be a host on which both hold.
    pub fn meet(&self, other: &Facts) -> bool {
        let both = |one: &str, other: &str| covers(one, other) || covers(other, one) || are_ends(one, other);
        let any = |one: &String| other.hosts.iter().any(|other| both(one, other));
        self.hosts.is_empty() || other.hosts.is_empty() || self.hosts.iter().any(any)
    }

    /// Whether these hold on every host on which others do, and at least as long.
    pub fn outlast(&self, other: &Facts) -> bool {
        let covered = |narrow: &String| self.hosts.iter().any(|wide| covers(wide, narrow));
        let everywhere = self.hosts.is_empty() || !other.hosts.is_empty() && other.hosts.iter().all(covered);
        everywhere && self.expires.is_none_or(|end| other.expires.is_some_and(|other| other <= end))
    }
}

/// Whether a name or glob fits everything that another fits.
pub fn covers(wide: &str, narrow: &str) -> bool {
    match (narrow.strip_prefix('*'), narrow.strip_suffix('*')) {
        _ if wide == "*" || wide == narrow => true,
        (Some(end), _) => wide.strip_prefix('*').is_some_and(|text| end.ends_with(text)),
        (_, Some(start)) => wide.strip_suffix('*').is_some_and(|text| start.starts_with(text)),
        _ => reach(wide, narrow).is_some(),
    }
}

/// A beginning and an end: there is a name with both.
fn are_ends(one: &str, other: &str) -> bool {
    one.starts_with('*') && other.ends_with('*') || one.ends_with('*') && other.starts_with('*')
}

impl Policy {
    /// The rules that hold on this host at this time, with every capability.
    pub fn holding(&self, host: &str, now: i64) -> Policy {
        let rules = self.rules.iter().filter(|rule| rule.facts.hold(host, now)).cloned().collect();
        Policy { catalogue: self.catalogue.clone(), rules, slices: self.slices.clone() }
    }
}

/// How exactly a rule names a service: the narrower match wins over the wider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// `*`.
    All,
    /// A slice, by how deep it lies.
    Slice(u8),
    /// A glob.
    Glob,
    /// The name itself.
    Name,
}

impl Rule {
    /// How the rule names this service, which is in this slice, if it does. What Bartizan itself runs as is out of reach of
    /// every rule but its own.
    pub fn reach(&self, service: &str, slice: &str) -> Option<Reach> {
        if is_own(service) && self.name != selftest::RULE {
            return None;
        }
        self.services.iter().filter_map(|pattern| Rule::matched(pattern, service, slice)).max()
    }

    /// How one entry of `services` names a service in a slice, if it does.
    pub fn matched(pattern: &str, service: &str, slice: &str) -> Option<Reach> {
        match slice::meant(pattern) {
            Some(wide) => slice::holds(wide, slice).then(|| Reach::Slice(slice::depth(wide))),
            None => reach(pattern, service),
        }
    }

    /// Whether the rule refuses anything.
    pub fn prevents(&self) -> bool {
        self.violations == Some(Violations::Prevent)
            || self.capabilities.values().any(|effect| *effect == Effect::Prevent)
            || self.outbound.as_ref().is_some_and(|outbound| outbound.prevent)
    }

    /// What the rule says about one access of a capability: `SSH.write` before `SSH`.
    pub fn effect(&self, capability: u8, access: Access) -> Option<Effect> {
        self.capabilities
            .get(&(capability, Some(access)))
            .or_else(|| self.capabilities.get(&(capability, None)))
            .copied()
    }
}

/// Whether a service is the daemon, its early unit or the self-test.
pub fn is_own(service: &str) -> bool {
    service == selftest::SERVICE || baseline::is_bartizan(service)
}

fn reach(pattern: &str, service: &str) -> Option<Reach> {
    if pattern == "*" {
        return Some(Reach::All);
    }
    let fits = match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => service.ends_with(end),
        (_, Some(start)) => service.starts_with(start),
        _ => return (pattern == service).then_some(Reach::Name),
    };
    fits.then_some(Reach::Glob)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_match_counts() {
        let rule = |services: &[&str]| Rule {
            services: services.iter().map(|name| (*name).to_owned()).collect(),
            ..Rule::default()
        };
        for (services, expected) in [
            (&["*", "web-1"][..], Some(Reach::Name)),
            (&["*", "web-*", "a-b.slice"], Some(Reach::Glob)),
            (&["*-1"], Some(Reach::Glob)),
            (&["*", "-.slice"], Some(Reach::Slice(0))),
            (&["a.slice", "-.slice", "b.slice"], Some(Reach::Slice(1))),
            (&["a.slice", "a-b.slice", "a-b-c.slice"], Some(Reach::Slice(2))),
            (&["*"], Some(Reach::All)),
            (&["db", "b.slice"], None),
        ] {
            assert_eq!(rule(services).reach("web-1", "a-b"), expected, "{services:?}");
        }
        assert!(Reach::All < Reach::Slice(0) && Reach::Slice(9) < Reach::Glob && Reach::Glob < Reach::Name);
    }

    #[test]
    fn nobody_speaks_about_bartizan_itself() {
        let rule = |name: &str, service: &str| Rule {
            name: name.to_owned(),
            services: vec![service.to_owned()],
            ..Rule::default()
        };
        for own in ["bartizand", "bartizan-early", selftest::SERVICE] {
            for pattern in ["*", "bartizan*", "system.slice", own] {
                assert_eq!(rule("r", pattern).reach(own, "system"), None, "{pattern} {own}");
            }
        }
        assert_eq!(selftest::rule().reach(selftest::SERVICE, "system"), Some(Reach::Name));
        assert!(rule("r", "bartizan*").reach("bartizan-exporter", "system").is_some());
    }

    #[test]
    fn hosts_and_ends_are_compared() {
        let facts = |hosts: &[&str], expires| Facts {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            expires,
            ..Facts::default()
        };
        for (one, other, meet, outlast) in [
            (&[][..], &["web-*"][..], true, true),
            (&["web-*"], &[], true, false),
            (&["web-*"], &["web-1", "web-a*"], true, true),
            (&["web-1"], &["web-*"], true, false),
            (&["web-*"], &["*-db"], true, false),
            (&["*-db"], &["x-db", "*1-db"], true, true),
            (&["web-*"], &["db"], false, false),
            (&["*"], &["*-db"], true, true),
        ] {
            let (one, other) = (facts(one, None), facts(other, None));
            assert_eq!((one.meet(&other), one.outlast(&other)), (meet, outlast), "{:?} {:?}", one.hosts, other.hosts);
        }
        for (one, other, outlast) in
            [(None, Some(3), true), (Some(3), None, false), (Some(3), Some(3), true), (Some(2), Some(3), false)]
        {
            assert_eq!(facts(&[], one).outlast(&facts(&[], other)), outlast, "{one:?} {other:?}");
        }
    }
}
