//! What a policy would have refused of what services did.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::capability::Grants;
use crate::compiled::{Compiled, Service};
use crate::decide::{Verdict, decide};
use crate::explain::Walk;
use crate::host::Mount;
use crate::outbound::decides;
use crate::rule::Policy;

/// What a deed was aimed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// A path of the host.
    Path(PathBuf),
    /// An operation: what it needed then is all that is known of it.
    Operation,
    /// The other end of a connection.
    Address(IpAddr, u16),
}

/// Something that a service did or tried, from its model or from the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// The service, without `.service`.
    pub service: String,
    /// How the object was touched.
    pub access: Access,
    /// Names of the capabilities that it needed then.
    pub capabilities: Vec<String>,
    /// What it was aimed at.
    pub aim: Aim,
    /// The same in words.
    pub object: String,
    /// The program that did it.
    pub exe: String,
    /// When, RFC 3339 in UTC, so that the order of the text is that of time.
    pub time: String,
    /// How many times.
    pub count: u64,
    /// Whether it was only ever done in the start of its unit.
    pub at_start: bool,
}

/// What would have been refused: all deeds of a service that need the same and meet the same rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Refused {
    /// The service.
    pub service: String,
    /// `SHELL.execute`, or `outbound`.
    pub what: String,
    /// The rule that would refuse it; none: the service's model lacks it, and `violations` says prevent.
    pub rule: Option<String>,
    /// How many times.
    pub count: u64,
    /// When it was done first.
    pub first: String,
    /// The program that did it then.
    pub exe: String,
    /// What it touched then.
    pub object: String,
}

/// Decides about each deed as the kernel would under this policy: what it needed then, and what its path means now.
pub fn simulate(policy: &Policy, compiled: &Compiled, mounts: &[Mount], deeds: &[Deed]) -> Vec<Refused> {
    let walk = Walk::new(compiled);
    let mut found: BTreeMap<(&str, String, Option<String>), Refused> = BTreeMap::new();
    for deed in deeds {
        let service = compiled.services.get(&deed.service).unwrap_or(&compiled.unlisted);
        let refused = match deed.aim {
            Aim::Address(address, port) => outbound(compiled, service, &deed.service, address, port),
            _ => capability(policy, compiled, &walk, mounts, service, deed),
        };
        let Some((what, rule)) = refused else { continue };
        let entry = found.entry((&deed.service, what.clone(), rule.clone())).or_insert_with(|| Refused {
            service: deed.service.clone(),
            what,
            rule,
            count: 0,
            first: deed.time.clone(),
            exe: deed.exe.clone(),
            object: deed.object.clone(),
        });
        entry.count += deed.count;
        if deed.time < entry.first {
            (entry.first, entry.exe, entry.object) = (deed.time.clone(), deed.exe.clone(), deed.object.clone());
        }
    }
    found.into_values().collect()
}

/// The first capability that would be refused, and the rule.
fn capability(
    policy: &Policy,
    compiled: &Compiled,
    walk: &Walk<'_>,
    mounts: &[Mount],
    service: &Service,
    deed: &Deed,
) -> Option<(String, Option<String>)> {
    if service.exempt {
        return None;
    }
    let needed: Grants = deed.capabilities.iter().map(|name| (name.clone(), BTreeSet::from([deed.access]))).collect();
    let mut need = policy.catalogue.masks(&needed);
    if let Aim::Path(path) = &deed.aim {
        let label = walk.label_at(path, mounts);
        need.insert(deed.access, label.need.get(deed.access));
        if deed.access == Access::Execute {
            need.insert(deed.access, walk.unlisted(&label));
        }
    }
    let decision = decide(&service.subject, &need, deed.access, deed.at_start);
    if decision.verdict != Verdict::Deny {
        return None;
    }
    let first = policy.catalogue.names(decision.missing).into_iter().next()?;
    let rule = service.decided_by(decision.missing, deed.access).and_then(|number| compiled.rules.get(number)).cloned();
    Some((format!("{first}.{}", deed.access.name()), rule))
}

/// The rule that would refuse a connection.
fn outbound(
    compiled: &Compiled,
    service: &Service,
    name: &str,
    address: IpAddr,
    port: u16,
) -> Option<(String, Option<String>)> {
    if service.exempt {
        return None;
    }
    let range = decides(&compiled.outbound, name, address, port)?;
    let rule = compiled.rules.get(usize::from(range.rule)).cloned();
    range.prevent.then(|| ("outbound".to_owned(), rule))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::compile::{Input, ServiceModel, compile};
    use crate::host::{BareHost, HostFacts as _};
    use crate::model::State;
    use crate::syntax::parse;

    const RULES: &str = r#"
[[capability]]
name = "PAYROLL"

[capability.files]
write = ["/srv/payroll/**"]

[[rule]]
name = "hands off"
services = ["web"]
violations = "prevent"
capabilities = { "SHELL.execute" = "prevent", PAYROLL = "prevent" }

[rule.outbound]
deny = [{ to = "203.0.113.0/24", ports = [25] }]
effect = "prevent"
"#;

    fn deed(access: Access, capabilities: &[&str], aim: Aim, time: &str) -> Deed {
        Deed {
            service: "web".to_owned(),
            access,
            capabilities: capabilities.iter().map(|name| (*name).to_owned()).collect(),
            object: format!("{aim:?}"),
            aim,
            exe: format!("/bin/{time}"),
            time: time.to_owned(),
            count: 2,
            at_start: false,
        }
    }

    #[test]
    fn deeds_are_judged_as_the_kernel_would() {
        let policy = parse("p", RULES).unwrap();
        let granted = Grants::from([("SSH".to_owned(), BTreeSet::from([Access::Read]))]);
        let model = ServiceModel { name: "web".to_owned(), state: State::Active, granted, at_start: Grants::new() };
        let input = Input { policy: &policy, services: &[model], own: &[] };
        let compiled = compile(&input, &BareHost).unwrap();
        let path = |text: &str| Aim::Path(text.into());
        let deeds = [
            deed(Access::Execute, &["SHELL"], path("/usr/bin/dash"), "2"),
            deed(Access::Execute, &["SHELL"], path("/opt/other-shell"), "1"),
            deed(Access::Read, &["SSH"], path("/etc/ssh/sshd_config"), "3"),
            deed(Access::Write, &["SSH"], path("/etc/ssh/sshd_config"), "4"),
            // It needed nothing then.
            deed(Access::Write, &[], path("/srv/payroll/july"), "5"),
            deed(Access::Operate, &["PRIVILEGED_PROCESSES"], Aim::Operation, "6"),
            deed(Access::Connect, &[], Aim::Address("203.0.113.9".parse().unwrap(), 25), "7"),
            deed(Access::Connect, &[], Aim::Address("203.0.113.9".parse().unwrap(), 443), "8"),
            deed(Access::Connect, &[], Aim::Address("203.0.112.9".parse().unwrap(), 25), "9"),
            deed(Access::Write, &["GONE"], path("/srv/elsewhere"), "9"),
        ];
        let found = simulate(&policy, &compiled, &BareHost.mounts(), &deeds);
        let lines: Vec<String> = found
            .iter()
            .map(|one| format!("{} {} {} {}", one.what, one.rule.as_deref().unwrap_or("model"), one.count, one.first))
            .collect();
        let expected = [
            "PAYROLL.write hands off 2 5",
            "PRIVILEGED_PROCESSES.operate hands off 2 6",
            "SHELL.execute hands off 4 1",
            "SSH.write hands off 2 4",
            "outbound hands off 2 7",
        ];
        assert_eq!(lines, expected);
        assert_eq!(found.iter().find(|one| one.count == 4).unwrap().exe, "/bin/1", "the first evidence");
    }
}
