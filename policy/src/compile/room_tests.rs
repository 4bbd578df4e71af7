//! What does not fit into the kernel is refused by name.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::*;
use crate::host::{BareHost, Mount};
use crate::syntax::parse;

/// A host with many file systems.
struct Crowded(u32);

impl HostFacts for Crowded {
    fn mounts(&self) -> Vec<Mount> {
        let one = |minor| Mount {
            major: 0,
            minor,
            root: "/".into(),
            point: format!("/mnt/{minor}").into(),
            kind: "tmpfs".into(),
        };
        (0..self.0).map(one).collect()
    }

    fn homes(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        Some(path.to_owned())
    }
}

fn refusal(rules: &str, services: usize, host: &dyn HostFacts) -> Option<String> {
    let policy = parse("p", rules).unwrap();
    let services: Vec<ServiceModel> = (0..services)
        .map(|number| ServiceModel {
            name: format!("s{number}"),
            state: State::Active,
            granted: Grants::new(),
            at_start: Grants::new(),
        })
        .collect();
    let input = Input { policy: &policy, services: &services, own: &[] };
    compile(&input, host).err().map(|error| error.to_string())
}

fn rule(more: &str) -> String {
    format!("[[rule]]\nname = \"r\"\nservices = [\"s*\"]\n{more}\n")
}

#[test]
fn each_table_says_what_it_has_no_room_for() {
    let ports: Vec<String> = (0..17).map(|port| port.to_string()).collect();
    let ports = rule(&format!("outbound = {{ deny = [{{ to = \"192.0.2.1\", ports = [{}] }}] }}", ports.join(", ")));
    let networks: Vec<String> = (0..200).map(|last| format!("{{ to = \"192.0.2.{last}\" }}")).collect();
    let networks = rule(&format!("outbound = {{ deny = [{}] }}", networks.join(", ")));
    let enforced = rule("violations = \"prevent\"");
    for (rules, services, mounts, part) in [
        ("", 0, 2100, "mounted file systems, and the kernel has room for 2047: unmount"),
        ("", 1100, 1, "services, and the kernel has room for 1022: name fewer"),
        (enforced.as_str(), 450, 1, "entries that name the deciding rule, and the kernel has room for 32768: have"),
        (
            ports.as_str(),
            1,
            1,
            "needs 17 port ranges for one network of one service, and the kernel has room for 16: merge",
        ),
        (networks.as_str(), 90, 1, "outbound entries (networks, for each service), and the kernel has room for 16384"),
    ] {
        let told = refusal(rules, services, &Crowded(mounts)).unwrap();
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(refusal(&enforced, 400, &BareHost), None);
    assert_eq!(refusal(&networks, 50, &BareHost), None);
}
