//! The catalogue on hosts of many shapes: where homes, symlinks and mounts put its paths.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::*;
use crate::access::Access;
use crate::capability::Catalogue;
use crate::compiled::{FileSystem, Label};
use crate::explain::Walk;
use crate::host::{Layer, Mount};
use crate::pattern::names;

/// A host with one root file system and whatever is added. A path exists if nothing says otherwise.
#[derive(Default)]
struct Host {
    mounts: Vec<Mount>,
    layers: Vec<Layer>,
    homes: Vec<PathBuf>,
    /// Symlinks to directories and files, absolute.
    links: BTreeMap<PathBuf, PathBuf>,
    absent: Vec<PathBuf>,
}

impl HostFacts for Host {
    fn mounts(&self) -> Vec<Mount> {
        [vec![mount(1, "/", "/", "ext4")], self.mounts.clone()].concat()
    }

    fn layers(&self) -> Vec<Layer> {
        self.layers.clone()
    }

    fn homes(&self) -> Vec<PathBuf> {
        self.homes.clone()
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        let mut real = path.to_path_buf();
        for _ in 0..8 {
            let Some((link, to)) = self.links.iter().find(|(link, _)| real.starts_with(link)) else { break };
            real = to.join(real.strip_prefix(link).ok()?);
        }
        (!self.absent.iter().any(|absent| real.starts_with(absent))).then_some(real)
    }
}

fn mount(minor: u32, root: &str, point: &str, kind: &str) -> Mount {
    Mount { major: 8, minor, root: root.into(), point: point.into(), kind: kind.into() }
}

fn links(pairs: &[(&str, &str)]) -> BTreeMap<PathBuf, PathBuf> {
    pairs.iter().map(|(link, to)| (link.into(), to.into())).collect()
}

fn compiled(host: &Host) -> Compiled {
    let own = [PathBuf::from("/var/lib/bartizan")];
    compile(&Input { policy: &Policy::default(), services: &[], own: &own }, host).unwrap()
}

fn label(compiled: &Compiled, file_system: FileSystem, path: &str) -> Label {
    let parts = names(Path::new(path));
    Walk::new(compiled).label_of(Some(file_system), &parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn need(compiled: &Compiled, minor: u32, path: &str, access: Access) -> String {
    let label = label(compiled, FileSystem::Device { major: 8, minor }, path);
    Catalogue::builtin().names(label.need.get(access)).join("+")
}

#[test]
fn a_home_that_is_not_there_yet_is_found_behind_a_symlink() {
    let host = Host {
        homes: vec!["/home/ada".into()],
        links: links(&[("/home", "/var/home")]),
        absent: vec!["/var/home/ada/.ssh".into()],
        ..Host::default()
    };
    let compiled = compiled(&host);
    assert_eq!(need(&compiled, 1, "/var/home/ada/.ssh/authorized_keys", Access::Write), "SSH");
    assert_eq!(need(&compiled, 1, "/home/ada/.bashrc", Access::Write), "SHELL");
}

#[test]
fn a_user_cannot_put_a_need_on_the_files_of_others() {
    let host = Host {
        homes: vec!["/home/eve".into(), "/home/ada".into()],
        links: links(&[
            ("/home/eve/.bashrc", "/var/log/nginx/access.log"),
            ("/home/eve/.ssh", "/"),
            ("/home/ada/.ssh", "/home/ada/dotfiles/ssh"),
        ]),
        ..Host::default()
    };
    let compiled = compiled(&host);
    assert_eq!(need(&compiled, 1, "/var/log/nginx/access.log", Access::Write), "");
    assert_eq!(need(&compiled, 1, "/srv/data", Access::Write), "");
    assert_eq!(need(&compiled, 1, "/home/ada/dotfiles/ssh/authorized_keys", Access::Write), "SSH");
    assert_eq!(need(&compiled, 1, "/home/eve/.ssh/authorized_keys", Access::Write), "SSH");
}

#[test]
fn strange_homes_neither_break_the_policy_nor_slip_out_of_it() {
    let deep = "/d".repeat(30);
    let long = format!("/srv/{}", "u".repeat(80));
    let homes = ["/srv/a*b".to_owned(), "/".to_owned(), deep.clone(), long.clone()];
    let host = Host { homes: homes.iter().map(PathBuf::from).collect(), ..Host::default() };
    let compiled = compiled(&host);
    for home in homes {
        let needs = need(&compiled, 1, &format!("{home}/.ssh/authorized_keys"), Access::Write);
        assert!(needs.contains("SSH"), "{home}: {needs}");
    }
    assert_eq!(need(&compiled, 1, "/srv/axb/.ssh/authorized_keys", Access::Write), "");
}

#[test]
fn own_paths_and_programs_are_known_behind_symlinks_too() {
    let host = Host {
        links: links(&[
            ("/var/lib", "/data/lib"),
            ("/sbin", "/usr/sbin"),
            ("/usr/bin/iptables", "/etc/alternatives/ipt"),
            ("/etc/alternatives/ipt", "/usr/sbin/xtables-nft-multi"),
            ("/usr/bin/nc", "/usr/bin/nc.openbsd"),
        ]),
        ..Host::default()
    };
    let compiled = compiled(&host);
    assert!(label(&compiled, FileSystem::Device { major: 8, minor: 1 }, "/data/lib/bartizan/models/x").own);
    assert_eq!(need(&compiled, 1, "/usr/bin/nc.openbsd", Access::Execute), "NET");
    assert_eq!(need(&compiled, 1, "/usr/sbin/useradd", Access::Execute), "USERS_ADMIN");
}

#[test]
fn a_file_with_many_names_is_not_each_of_them() {
    let host = Host {
        links: links(&[("/usr/bin/nc", "/usr/bin/busybox"), ("/usr/sbin/useradd", "/dev/null")]),
        ..Host::default()
    };
    let compiled = compiled(&host);
    assert_eq!(need(&compiled, 1, "/usr/bin/busybox", Access::Execute), "SHELL");
    assert_eq!(need(&compiled, 1, "/dev/null", Access::Execute), "");
    assert_eq!(need(&compiled, 1, "/usr/bin/nc", Access::Execute), "NET");
}

#[test]
fn what_is_not_there_yet_is_known_where_it_will_be() {
    let host = Host {
        links: links(&[("/var/spool", "/data/spool")]),
        absent: vec!["/data/spool/cron".into()],
        ..Host::default()
    };
    assert_eq!(need(&compiled(&host), 1, "/data/spool/cron/crontabs/root", Access::Write), "SERVICE_OPERATOR");
}

#[test]
fn file_systems_that_a_container_mounts_mean_the_same_there() {
    let compiled = compiled(&Host { mounts: vec![mount(9, "/", "/mnt/v1", "cgroup")], ..Host::default() });
    let privileged = |label: Label| label.need.get(Access::Write) & 1 << 14 != 0;
    // Not mounted on the host at all.
    assert!(privileged(label(&compiled, FileSystem::Magic(0x6462_6720), "/kprobes/enabled")), "debugfs");
    assert!(privileged(label(&compiled, FileSystem::Magic(0x7472_6163), "/kprobe_events")), "tracefs");
    assert!(privileged(label(&compiled, FileSystem::Magic(0x9fa0), "/17/task/18/mem")), "proc");
    assert!(privileged(label(&compiled, FileSystem::Device { major: 0, minor: 77 }, "/release_agent")), "unknown");
    assert_eq!(need(&compiled, 9, "/release_agent", Access::Write), "PRIVILEGED_PROCESSES");
}

#[test]
fn a_mount_root_with_a_long_name_is_no_way_out() {
    let root = format!("/data/{}", "n".repeat(100));
    let compiled = compiled(&Host { mounts: vec![mount(1, &root, "/etc/ssh", "ext4")], ..Host::default() });
    assert_eq!(need(&compiled, 1, &format!("{root}/sshd_config"), Access::Write), "SSH");
    assert_eq!(need(&compiled, 1, "/data/other/sshd_config", Access::Write), "");
}

#[test]
fn a_large_host_fits() {
    let mut mounts: Vec<Mount> = (0..40)
        .map(|number| {
            let point = format!("/var/lib/docker/overlay2/{number:064}/merged");
            mount(100 + number, "/", &point, "overlay")
        })
        .collect();
    for (number, point) in ["/var", "/home", "/usr", "/opt", "/etc", "/var/log", "/srv"].iter().enumerate() {
        mounts.push(mount(2 + u32::try_from(number).unwrap(), "/", point, "ext4"));
        mounts.push(mount(50, &format!("/@{number}"), point, "btrfs"));
        mounts.push(mount(1, &format!("/data/{number}"), point, "ext4"));
    }
    let homes = (0..1000).map(|number| format!("/home/user{number}").into()).collect();
    let before = Instant::now();
    let compiled = compiled(&Host { mounts, homes, ..Host::default() });
    let (nodes, edges) = (compiled.nodes.len(), compiled.edges.len());
    assert!(
        nodes < 4000 && edges < 20_000 && compiled.labels.len() < 1000,
        "{nodes} {edges} {}",
        compiled.labels.len()
    );
    assert!(before.elapsed().as_secs() < 20, "{:?}", before.elapsed());
    assert_eq!(need(&compiled, 3, "/user999/.ssh/authorized_keys", Access::Write), "SSH");
    assert_eq!(need(&compiled, 50, "/@1/user999/.ssh/id_rsa", Access::Read), "SSH");
}

#[test]
fn an_overlay_gives_each_name_the_meaning_of_both() {
    let merged = mount(9, "/", "/srv/merged", "overlay");
    let on_etc = mount(10, "/", "/etc/ssh", "overlay");
    let layer = |overlay: &Mount, directory: &str| Layer { overlay: overlay.clone(), directory: directory.into() };
    let layers = vec![layer(&merged, "/etc"), layer(&on_etc, "/data/upper"), layer(&on_etc, "/etc/ssh")];
    let data = mount(2, "/vol", "/data", "ext4");
    let compiled = compiled(&Host { mounts: vec![data, merged, on_etc], layers, ..Host::default() });
    assert_eq!(need(&compiled, 9, "/shadow", Access::Read), "USERS_ADMIN", "a lower file through the overlay");
    assert_eq!(need(&compiled, 9, "/nginx/nginx.conf", Access::Write), "");
    assert_eq!(need(&compiled, 10, "/sshd_config", Access::Write), "SSH");
    assert_eq!(need(&compiled, 2, "/vol/upper/sshd_config", Access::Write), "SSH", "the upper directory itself");
    assert_eq!(need(&compiled, 2, "/vol/other/sshd_config", Access::Write), "");
    assert_eq!(need(&compiled, 1, "/etc/ssh/sshd_config", Access::Write), "SSH");
}
