//! The operator's word.

use std::collections::BTreeMap;

use crate::access::Access;
use crate::capability::Catalogue;
use crate::place::Place;

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
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { catalogue: Catalogue::builtin().clone(), rules: Vec::new() }
    }
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Its name, which audit records carry; unique in a policy.
    pub name: String,
    /// Names of services, `a*`, `*a` or `*`.
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

impl Policy {
    /// The rules that hold on this host at this time, with every capability.
    pub fn holding(&self, host: &str, now: i64) -> Policy {
        let rules = self.rules.iter().filter(|rule| rule.facts.hold(host, now)).cloned().collect();
        Policy { catalogue: self.catalogue.clone(), rules }
    }
}

/// How exactly a rule names a service: the narrower match wins over the wider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// `*`.
    All,
    /// A glob.
    Glob,
    /// The name itself.
    Name,
}

impl Rule {
    /// How the rule names this service, if it does.
    pub fn reach(&self, service: &str) -> Option<Reach> {
        self.services.iter().filter_map(|pattern| reach(pattern, service)).max()
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
        assert_eq!(rule(&["*", "web-1"]).reach("web-1"), Some(Reach::Name));
        assert_eq!(rule(&["*", "web-*"]).reach("web-1"), Some(Reach::Glob));
        assert_eq!(rule(&["*-1"]).reach("web-1"), Some(Reach::Glob));
        assert_eq!(rule(&["*"]).reach("web-1"), Some(Reach::All));
        assert_eq!(rule(&["db"]).reach("web-1"), None);
    }
}
