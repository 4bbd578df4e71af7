//! From the names that an event carries to a path in the host's mount namespace.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;

use compact_str::{CompactString, format_compact};
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
    /// Of the file systems that were asked for since the mounts changed: of each time the mounts, see [`candidates`].
    candidates: BTreeMap<(u64, u64), Vec<Vec<Candidate>>>,
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
        self.candidates.clear();
    }

    fn have_changed(&self) -> bool {
        let Some(watched) = &self.watched else { return true };
        // What cannot be asked counts as changed.
        poll(&mut [PollFd::new(watched.as_fd(), PollFlags::POLLPRI)], PollTimeout::ZERO) != Ok(0)
    }

    /// The path in the host's namespace of `inside`, a path from the root of its file system. A file system that is
    /// mounted nowhere gives the path as if it were `/`.
    pub fn host_path(&mut self, dev: u64, magic: u64, inside: CompactString) -> CompactString {
        if !self.candidates.contains_key(&(dev, magic)) {
            let known = std::iter::once(&self.mounts).chain(&self.former).map(|mounts| candidates(mounts, dev, magic));
            self.candidates.insert((dev, magic), known.collect());
        }
        let times = self.candidates.get(&(dev, magic)).into_iter().flatten();
        match times.flatten().find_map(|mount| mount.place(&inside)) {
            Some(Place::Same) | None => inside,
            Some(Place::Other(path)) => path,
        }
    }
}

/// A mount that may hold a path of its file system.
#[derive(Debug)]
struct Candidate {
    /// Both without the `/` that ends `/`.
    root: String,
    point: String,
}

/// Where a path is seen.
enum Place {
    Same,
    Other(CompactString),
}

impl Candidate {
    fn place(&self, inside: &str) -> Option<Place> {
        // The file system that is mounted as `/`, which most are of. glibc 2.36 compares nothing with nothing in hundreds of cycles
        // where the processor has AVX-512, as a masked load at an address that is none has to be looked into.
        if self.root.is_empty() && self.point.is_empty() {
            return Some(Place::Same);
        }
        let rest = inside.strip_prefix(self.root.as_str())?;
        if !rest.is_empty() && !rest.starts_with('/') {
            return None;
        }
        if self.root == self.point {
            return Some(Place::Same);
        }
        let rest = if rest == "/" { "" } else { rest };
        let path = format_compact!("{}{rest}", self.point);
        Some(Place::Other(if path.is_empty() { "/".into() } else { path }))
    }
}

/// Those of one time, the best first: the name below `/`, or where the whole file system is mounted, before that of a part
/// of it that somebody mounted once more; among equals the shortest, that is the original mount point.
fn candidates(mounts: &[Mount], dev: u64, magic: u64) -> Vec<Candidate> {
    let mut found: Vec<&Mount> = mounts.iter().filter(|mount| fits(mount, dev, magic)).collect();
    found.sort_by_key(|mount| {
        (mount.point != Path::new("/"), mount.root.as_os_str().len(), mount.point.as_os_str().len())
    });
    let text = |path: &Path| path.to_string_lossy().trim_end_matches('/').to_owned();
    found.into_iter().map(|mount| Candidate { root: text(&mount.root), point: text(&mount.point) }).collect()
}

fn fits(mount: &Mount, dev: u64, magic: u64) -> bool {
    if let Some((_, kind)) = PSEUDO.iter().find(|(number, _)| *number == magic) {
        return mount.kind == *kind;
    }
    u64::from(mount.major) == dev >> 20 && u64::from(mount.minor) == dev & 0xf_ffff
}

/// The path from the root of a file system of an event's names: leaf first, each with its NUL.
pub fn inside(names: &[u8], truncated: bool) -> CompactString {
    let mut path = CompactString::with_capacity(names.len() + if truncated { "/…".len() } else { 0 });
    if truncated {
        path.push_str("/…");
    }
    for name in names.rsplit(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        path.push('/');
        path.push_str(&String::from_utf8_lossy(name));
    }
    if path.is_empty() {
        path.push('/');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(major: u32, minor: u32, root: &str, point: &str, kind: &str) -> Mount {
        Mount { major, minor, root: root.into(), point: point.into(), kind: kind.into() }
    }

    #[test]
    fn names_become_a_path_of_the_host() {
        let mut places = Places {
            watched: None,
            candidates: BTreeMap::new(),
            former: VecDeque::new(),
            mounts: vec![
                mount(8, 1, "/", "/", "ext4"),
                mount(8, 2, "/", "/var", "ext4"),
                mount(0, 21, "/", "/proc", "proc"),
                mount(8, 2, "/real", "/srv/alias", "ext4"),
            ],
        };
        let mut at = |dev, magic, names: &[u8]| places.host_path(dev, magic, inside(names, false));
        assert_eq!(at(8 << 20 | 1, 0xef53, b"passwd\0etc\0"), "/etc/passwd");
        assert_eq!(at(8 << 20 | 2, 0xef53, b"log\0"), "/var/log");
        assert_eq!(at(8 << 20 | 2, 0xef53, b"file\0real\0"), "/var/real/file", "rather than /srv/alias/file");
        assert_eq!(at(99, 0x9fa0, b"sys\0"), "/proc/sys");
        assert_eq!(at(8 << 20 | 1, 0xef53, b""), "/");
        assert_eq!(at(8 << 20 | 2, 0xef53, b""), "/var", "a mount point itself");
        assert_eq!(at(8 << 20 | 2, 0xef53, b"really\0"), "/var/really");
        assert_eq!(at(8 << 20 | 9, 0xef53, b"x\0y\0"), "/y/x", "mounted nowhere");
        assert_eq!(inside(b"c\0b\0", true), "/…/b/c");
    }
}
