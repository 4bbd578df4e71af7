//! Where the root of each file system starts in the trie.
//!
//! The kernel walks the names from the root of a file system, not from `/`. So each file system starts where its root
//! would be seen: at the mount point where the whole of it is mounted; and where only a directory of it is mounted, on
//! the way to that directory. A file system that is mounted at several places starts at all of them at once.

use std::collections::BTreeMap;
use std::path::Path;

use super::states::{Set, States};
use crate::compiled::FileSystem;
use crate::host::{Layer, Mount};
use crate::pattern::names;

/// File systems that are recognised by type: their name, `s_magic`, and where they belong. Each new mount of them, in a
/// container for one, has its own device and means the same.
const PSEUDO: [(&str, u64, &str); 8] = [
    ("proc", 0x9fa0, "/proc"),
    ("sysfs", 0x6265_6572, "/sys"),
    ("cgroup2", 0x6367_7270, "/sys/fs/cgroup"),
    ("bpf", 0xcafe_4a11, "/sys/fs/bpf"),
    ("tracefs", 0x7472_6163, "/sys/kernel/tracing"),
    ("debugfs", 0x6462_6720, "/sys/kernel/debug"),
    ("binfmt_misc", 0x4249_4e4d, "/proc/sys/fs/binfmt_misc"),
    ("securityfs", 0x7363_6673, "/sys/kernel/security"),
];

/// The states at the root of each file system.
pub(super) fn starts(states: &mut States, root: &Set, mounts: &[Mount], layers: &[Layer]) -> BTreeMap<FileSystem, Set> {
    let mut starts: BTreeMap<FileSystem, Set> = BTreeMap::new();
    for (_, magic, point) in PSEUDO {
        starts.entry(FileSystem::Magic(magic)).or_default().extend(at(states, root, Path::new(point)));
    }
    for mount in mounts {
        let there = at(states, root, &mount.point);
        let start = states.behind(&names(&mount.root), there);
        let known = starts.entry(file_system(mount)).or_default();
        known.extend(start);
        if mount.kind == "cgroup" {
            // A hierarchy of version 1 means the same wherever it is mounted.
            known.extend(at(states, root, Path::new("/sys/fs/cgroup/any")));
        }
    }
    for layer in layers {
        overlay(states, root, mounts, layer, &mut starts);
    }
    starts
}

/// An overlay gives what a directory holds a second name. Kernels differ in which of the two a program is shown, and the
/// directory stays within reach beside it: each name has the meaning of both.
fn overlay(states: &mut States, root: &Set, mounts: &[Mount], layer: &Layer, starts: &mut BTreeMap<FileSystem, Set>) {
    let (shown, own) = (at(states, root, &layer.overlay.point), at(states, root, &layer.directory));
    // The layers of containers lie beside each other and mean the same: nothing is to be added for them.
    if shown == own {
        return;
    }
    starts.entry(file_system(&layer.overlay)).or_default().extend(own);
    let holds = mounts.iter().rev().filter(|mount| layer.directory.starts_with(&mount.point));
    let Some(holder) = holds.max_by_key(|mount| mount.point.components().count()) else { return };
    let below = layer.directory.strip_prefix(&holder.point).unwrap_or(Path::new(""));
    let start = states.behind(&names(&holder.root.join(below)), shown);
    starts.entry(file_system(holder)).or_default().extend(start);
}

fn at(states: &States, root: &Set, point: &Path) -> Set {
    names(point).iter().fold(root.clone(), |set, name| states.step(&set, name))
}

/// The file system of a mount, as the kernel's table of starts knows it.
pub fn file_system(mount: &Mount) -> FileSystem {
    match PSEUDO.iter().find(|(kind, ..)| *kind == mount.kind) {
        Some((_, magic, _)) => FileSystem::Magic(*magic),
        None => FileSystem::Device { major: mount.major, minor: mount.minor },
    }
}
