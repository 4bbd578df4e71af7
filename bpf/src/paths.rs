//! From the names that an event carries to a path in the host's mount namespace.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use policy::host::Mount;

/// `s_magic` of the file systems of which every mount has a device of its own, with their names in mountinfo.
const PSEUDO: [(u64, &str); 8] = [
    (0x9fa0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x6367_7270, "cgroup2"),
    (0xcafe_4a11, "bpf"),
    (0x7472_6163, "tracefs"),
    (0x6462_6720, "debugfs"),
    (0x4249_4e4d, "binfmt_misc"),
    (0x7363_6673, "securityfs"),
];

/// Changes of the mounts that are remembered.
const CHANGES: usize = 16;

/// PID 1's namespace is the host's; a daemon with its own view (ProtectSystem) must not take its own.
const MOUNTINFO: &str = "/proc/1/mountinfo";

/// The mounts of the host, read again when they have changed: devices of tmpfs and the like are soon used again.
#[derive(Debug, Default)]
pub struct Places {
    mounts: Vec<Mount>,
    /// What went with each of the last changes, the newest first: a record may be read when its mount is gone already.
    former: VecDeque<Vec<Mount>>,
    /// The kernel marks this file with POLLPRI whenever a mount comes or goes.
    watched: Option<File>,
}

impl Places {
    /// Takes a fresh look at the mounts if they have changed since the last one.
    pub fn look(&mut self) {
        if !self.have_changed() {
            return;
        }
        self.watched = File::open(MOUNTINFO).ok();
        let text = std::fs::read_to_string(MOUNTINFO).unwrap_or_default();
        let before = std::mem::replace(&mut self.mounts, policy::host::parse_mountinfo(&text));
        let now: HashSet<&Mount> = self.mounts.iter().collect();
        let gone: Vec<Mount> = before.into_iter().filter(|mount| !now.contains(mount)).collect();
        if !gone.is_empty() {
            self.former.push_front(gone);
            self.former.truncate(CHANGES);
        }
    }

    fn have_changed(&self) -> bool {
        let Some(watched) = &self.watched else { return true };
        // What cannot be asked counts as changed.
        poll(&mut [PollFd::new(watched.as_fd(), PollFlags::POLLPRI)], PollTimeout::ZERO) != Ok(0)
    }

    /// The path in the host's namespace of `inside`, a path from the root of its file system. A file system that is
    /// mounted nowhere gives the path as if it were `/`.
    pub fn host_path(&self, dev: u64, magic: u64, inside: &Path) -> PathBuf {
        let holds = |mount: &&Mount| fits(mount, dev, magic) && inside.starts_with(&mount.root);
        let mut times = std::iter::once(&self.mounts).chain(&self.former);
        let then = times.find(|mounts| mounts.iter().any(|mount| holds(&mount)));
        let candidates = then.into_iter().flatten().filter(holds);
        // The name below `/`, or where the whole file system is mounted, before that of a part of it that somebody mounted
        // once more; among equals the shortest, that is the original mount point.
        let best = candidates.min_by_key(|mount| {
            (mount.point != Path::new("/"), mount.root.as_os_str().len(), mount.point.as_os_str().len())
        });
        match best.and_then(|mount| Some((mount, inside.strip_prefix(&mount.root).ok()?))) {
            Some((mount, rest)) if rest.as_os_str().is_empty() => mount.point.clone(),
            Some((mount, rest)) => mount.point.join(rest),
            None => inside.to_owned(),
        }
    }
}

fn fits(mount: &Mount, dev: u64, magic: u64) -> bool {
    if let Some((_, kind)) = PSEUDO.iter().find(|(number, _)| *number == magic) {
        return mount.kind == *kind;
    }
    u64::from(mount.major) == dev >> 20 && u64::from(mount.minor) == dev & 0xf_ffff
}

/// The path from the root of a file system of an event's names: leaf first, each with its NUL.
pub fn inside(names: &[u8], truncated: bool) -> PathBuf {
    let mut parts: Vec<&[u8]> = names.split(|byte| *byte == 0).filter(|part| !part.is_empty()).collect();
    parts.reverse();
    let mut text = String::new();
    if truncated {
        text.push_str("/…");
    }
    for part in parts {
        text.push('/');
        text.push_str(&String::from_utf8_lossy(part));
    }
    if text.is_empty() { PathBuf::from("/") } else { PathBuf::from(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(major: u32, minor: u32, root: &str, point: &str, kind: &str) -> Mount {
        Mount { major, minor, root: root.into(), point: point.into(), kind: kind.into() }
    }

    #[test]
    fn names_become_a_path_of_the_host() {
        let places = Places {
            watched: None,
            former: VecDeque::new(),
            mounts: vec![
                mount(8, 1, "/", "/", "ext4"),
                mount(8, 2, "/", "/var", "ext4"),
                mount(0, 21, "/", "/proc", "proc"),
                mount(8, 2, "/real", "/srv/alias", "ext4"),
            ],
        };
        let at = |dev, magic, names: &[u8]| places.host_path(dev, magic, &inside(names, false)).display().to_string();
        assert_eq!(at(8 << 20 | 1, 0xef53, b"passwd\0etc\0"), "/etc/passwd");
        assert_eq!(at(8 << 20 | 2, 0xef53, b"log\0"), "/var/log");
        assert_eq!(at(8 << 20 | 2, 0xef53, b"file\0real\0"), "/var/real/file", "rather than /srv/alias/file");
        assert_eq!(at(99, 0x9fa0, b"sys\0"), "/proc/sys");
        assert_eq!(at(8 << 20 | 1, 0xef53, b""), "/");
        assert_eq!(inside(b"c\0b\0", true).display().to_string(), "/…/b/c");
    }
}
