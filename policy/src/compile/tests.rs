#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::access::Access;
use crate::capability::Catalogue;
use crate::compiled::{FileSystem, PortRange};
use crate::explain::Walk;
use crate::host::{BareHost, Mount};
use crate::syntax::parse;

fn mount(minor: u32, root: &str, point: &str, kind: &str) -> Mount {
    Mount { major: 8, minor, root: root.into(), point: point.into(), kind: kind.into() }
}

fn split(path: &str) -> Vec<&[u8]> {
    path.split('/').filter(|part| !part.is_empty()).map(str::as_bytes).collect()
}

fn device(minor: u32) -> Option<FileSystem> {
    Some(FileSystem::Device { major: 8, minor })
}

/// A Debian-like host with separate /var, merged /usr and an alternative.
struct Host;

impl HostFacts for Host {
    fn mounts(&self) -> Vec<Mount> {
        vec![
            mount(1, "/", "/", "ext4"),
            mount(2, "/", "/var", "ext4"),
            mount(3, "/", "/home", "ext4"),
            mount(20, "/", "/proc", "proc"),
            mount(1, "/data/real", "/etc/ssh", "ext4"),
            mount(1, "/data/one-file", "/etc/shadow", "ext4"),
        ]
    }

    fn homes(&self) -> Vec<PathBuf> {
        vec!["/root".into(), "/home/ada".into()]
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        let text = path.to_str()?;
        match text {
            "/usr/bin/nc" | "/bin/nc" => return Some("/usr/bin/nc.openbsd".into()),
            "/usr/bin/sh" | "/bin/sh" => return Some("/usr/bin/dash".into()),
            "/usr/bin/ash" => return Some("/usr/bin/busybox".into()),
            "/etc/resolv.conf" => return Some("/run/stub.conf".into()),
            _ => {}
        }
        let merged = ["/bin", "/sbin", "/lib"].iter().find(|old| path.starts_with(old));
        Some(if merged.is_some() { Path::new("/usr").join(path.strip_prefix("/").ok()?) } else { path.to_owned() })
    }
}

fn host_compiled() -> Compiled {
    let own = [PathBuf::from("/var/lib/bartizan"), PathBuf::from("/sys/fs/bpf/bartizan")];
    compile(&Input { policy: &Policy::default(), services: &[], own: &own }, &Host).unwrap()
}

#[test]
fn paths_mean_what_the_catalogue_says_on_every_file_system() {
    let compiled = host_compiled();
    let walk = Walk::new(&compiled);
    let need = |minor, path: &str, access| {
        Catalogue::builtin().names(walk.label_of(device(minor), &split(path)).need.get(access)).join("+")
    };
    assert_eq!(need(1, "/etc/passwd", Access::Write), "USERS_ADMIN");
    assert_eq!(need(1, "/etc/passwd", Access::Read), "USERS");
    assert_eq!(need(1, "/usr/sbin/useradd", Access::Execute), "USERS_ADMIN");
    assert_eq!(need(1, "/usr/bin/dash", Access::Execute), "SHELL");
    assert_eq!(need(1, "/usr/bin/nc.openbsd", Access::Execute), "NET");
    assert_eq!(need(1, "/etc/ssh/sshd_config", Access::Write), "SSH");
    assert_eq!(need(1, "/etc/ssh", Access::Write), "SSH");
    assert_eq!(need(1, "/etc/ssh/ssh_host_ed25519_key", Access::Read), "SSH");
    assert_eq!(need(2, "/log/syslog.1", Access::Read), "SYSTEM_LOGS");
    assert_eq!(need(3, "/ada/.ssh/authorized_keys", Access::Write), "SSH");
    assert_eq!(need(1, "/root/.bashrc", Access::Write), "SHELL");
    assert_eq!(need(1, "/run/stub.conf", Access::Write), "HOSTS_CONFIG");
    // Mounted onto protected places, under names that say something else.
    assert_eq!(need(1, "/data/real/sshd_config", Access::Write), "SSH");
    assert_eq!(need(1, "/data/one-file", Access::Write), "USERS_ADMIN");
    assert_eq!(need(1, "/data/other", Access::Write), "");
    // A file system that nobody knows starts at `/`.
    assert_eq!(need(99, "/etc/passwd", Access::Write), "USERS_ADMIN");
    assert_eq!(need(1, "/usr/bin/ls", Access::Execute), "");
    let proc_ = walk.label_of(Some(FileSystem::Magic(0x9fa0)), &split("/sys/kernel/core_pattern"));
    assert!(proc_.need.get(Access::Write) & 1 << 14 != 0);
    assert!(walk.label_of(device(2), &split("/lib/bartizan/models/x")).own);
    assert!(walk.label_of(device(1), &split("/usr/lib/systemd/systemd-executor")).executor);
}

#[test]
fn the_real_catalogue_is_small() {
    let compiled = host_compiled();
    assert!(compiled.nodes.len() < 2000 && compiled.labels.len() < 500, "{}", compiled.nodes.len());
    assert!(compiled.edges.len() < 10_000, "{}", compiled.edges.len());
}

#[test]
fn rules_fill_the_masks_of_the_design() {
    let text = r#"
[[rule]]
name = "wide"
services = ["web*"]
violations = "prevent"
capabilities = { SHELL = "allow", NET = "alert" }
[[rule]]
name = "narrow"
services = ["web"]
capabilities = { SHELL = "prevent", "SHELL.write" = "allow", DOCKER = "disable" }
"#;
    let policy = parse("p", text).unwrap();
    let model = |name: &str, state| {
        let granted = ["SHELL", "NET", "USERS_ADMIN"].map(|name| (name.to_owned(), [Access::Execute].into())).into();
        ServiceModel { name: name.to_owned(), state, granted, at_start: crate::capability::Grants::new() }
    };
    let services = [model("web", State::Active), model("web2", State::Learning), model("db", State::Active)];
    let input = Input { policy: &policy, services: &services, own: &[] };
    let compiled = compile(&input, &BareHost).unwrap();
    let web = &compiled.services["web"];
    let has = |mask: u64, bit: u8| mask >> bit & 1 == 1;
    assert!(has(web.subject.prevent.get(Access::Execute), 8) && !has(web.subject.granted.get(Access::Execute), 8));
    assert!(has(web.subject.granted.get(Access::Write), 8), "the access beats the whole capability");
    assert!(has(web.subject.alert.get(Access::Execute), 9) && !has(web.subject.granted.get(Access::Execute), 9));
    assert!(has(web.subject.granted.get(Access::Execute), 6), "learned");
    assert!(has(web.subject.prevent.get(Access::Write), 6), "violations = prevent");
    assert!(has(web.subject.granted.get(Access::Read), 2), "disable");
    assert_eq!((web.rules[&(8, 0)], web.rules[&(9, 0)], web.rules[&(6, 2)]), (2, 1, 1));
    let learning = &compiled.services["web2"].subject;
    assert!(learning.learning && learning.prevent.is_empty(), "{learning:?}");
    let db = &compiled.services["db"];
    assert!(has(db.subject.alert.get(Access::Write), 6) && db.rules.is_empty(), "the default is alert, by no rule");
    assert!(compiled.unlisted.subject.learning && compiled.unlisted.subject.prevent.is_empty());
}

#[test]
fn longer_prefixes_also_hold_what_shorter_ones_say() {
    let text = r#"
[[rule]]
name = "net"
services = ["web"]
outbound = { deny = [{ to = "203.0.113.0/24", ports = [25] }], effect = "prevent" }
[[rule]]
name = "host"
services = ["web"]
outbound = { deny = [{ to = "203.0.113.7" }], effect = "alert" }
"#;
    let policy = parse("p", text).unwrap();
    let compiled = compile(&Input { policy: &policy, services: &[], own: &[] }, &BareHost).unwrap();
    let by_bits: BTreeMap<u8, &Vec<PortRange>> = compiled.outbound.iter().map(|o| (o.bits, &o.ports)).collect();
    assert_eq!(by_bits[&120].len(), 1);
    let host = by_bits[&128];
    assert_eq!((host[0].first, host[0].prevent, host[0].rule), (25, true, 0));
    assert_eq!((host[1].first, host[1].last, host[1].prevent, host[1].rule), (0, 65535, false, 1));
}

#[test]
fn an_allow_list_needs_something_for_everything_but_what_is_on_it() {
    let text = "[[rule]]\nname = \"web\"\nservices = [\"x\"]\n[rule.programs]\nonly = [\"nginx\", \"/opt/web/**\"]\nwritten = \"deny\"\n";
    let policy = parse("p", text).unwrap();
    let compiled = compile(&Input { policy: &policy, services: &[], own: &[] }, &BareHost).unwrap();
    let bit = policy.catalogue.index("PROGRAMS(web)").unwrap();
    assert_eq!(compiled.operations[usize::from(crate::operation::EXECUTED)], 1 << bit);
    assert_eq!(compiled.operations[25] >> bit & 1, 1, "written by a service");
    let walk = Walk::new(&compiled);
    let spared = |file_system, path: &str| walk.label_of(file_system, &split(path)).spared >> bit & 1 == 1;
    for (path, on_it) in
        [("/usr/sbin/nginx", true), ("/opt/web/a/b", true), ("/usr/bin/nc", false), ("/x/nginx", false)]
    {
        assert_eq!(spared(device(1), path), on_it, "{path}");
        assert!(!spared(device(77), path), "a file system that the host does not have spares nothing: {path}");
    }
    let (named, other) = (&compiled.services["x"].subject, &compiled.unlisted.subject);
    assert_eq!((named.prevent.get(Access::Execute) >> bit & 1, named.granted.get(Access::Execute) >> bit & 1), (1, 0));
    assert_eq!((other.prevent.get(Access::Execute) >> bit & 1, other.granted.get(Access::Execute) >> bit & 1), (0, 1));
}
