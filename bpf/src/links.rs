//! Hard links that were there before the programs were: a labelled file may be reached by a name that means nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::{major, minor};
use policy::compiled::{Compiled, DEAD, Label, NodeId};
use policy::explain::Walk;

/// File systems that the kernel makes up as they are read. They have no hard links, and some have no end.
const MADE_UP: [&str; 9] =
    ["proc", "sysfs", "cgroup", "cgroup2", "bpf", "tracefs", "debugfs", "securityfs", "binfmt_misc"];

/// What the names of each inode with several names need, taken together.
pub(crate) type Links = BTreeMap<Inode, Label>;

/// An inode, and which of those that had its number one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Inode {
    /// As the kernel numbers it.
    pub device: u64,
    pub number: u64,
    /// Not known where the file system does not tell it (overlay, tmpfs, whose numbers are not used again).
    pub generation: Option<u32>,
}

/// Looks at every file that has a label on this host. What cannot be read is left out: it is gone, or its file system
/// does not answer.
pub(crate) fn find(compiled: &Compiled) -> Links {
    let mounts = policy::host::parse_mountinfo(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
    let made_up = mounts.into_iter().filter(|mount| MADE_UP.contains(&mount.kind.as_str()));
    let made_up = made_up.map(|mount| mount.point).collect();
    let mut search = Search { walk: Walk::new(compiled), compiled, made_up, links: Links::new() };
    search.directory(Path::new("/"), compiled.unknown_start);
    search.links
}

struct Search<'a> {
    walk: Walk<'a>,
    compiled: &'a Compiled,
    made_up: BTreeSet<PathBuf>,
    links: Links,
}

impl Search<'_> {
    /// Goes only where a pattern leads.
    fn directory(&mut self, path: &Path, node: NodeId) {
        if self.made_up.contains(path) {
            return;
        }
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            let child = self.walk.child(node, entry.file_name().as_bytes());
            let Ok(kind) = entry.file_type() else { continue };
            if child == DEAD {
                continue;
            }
            if kind.is_dir() {
                self.directory(&entry.path(), child);
            } else if kind.is_file()
                && let Ok(facts) = entry.metadata()
                && facts.nlink() > 1
            {
                self.file(&entry.path(), facts, child);
            }
        }
    }

    fn file(&mut self, path: &Path, facts: Metadata, node: NodeId) {
        let label = self.compiled.nodes.get(usize::from(node)).map_or(0, |node| usize::from(node.label));
        let means_something = |label: &&Label| Label { spared: 0, ..**label } != Label::default();
        let Some(label) = self.compiled.labels.get(label).filter(means_something) else { return };
        let known = self.links.entry(inode(path, facts)).or_default();
        known.need = known.need.union(label.need);
        known.own |= label.own;
        known.executor |= label.executor;
    }
}

/// Of the file that has this name now. What cannot be opened has no known generation.
fn inode(path: &Path, facts: Metadata) -> Inode {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let opened = File::options().read(true).custom_flags(flags.bits()).open(path).ok();
    let opened = opened.and_then(|file| Some((file.metadata().ok().filter(Metadata::is_file)?, generation(&file)?)));
    let (facts, generation) = opened.map_or((facts, None), |(facts, generation)| (facts, Some(generation)));
    // The kernel keeps 20 bits of minor number below the major one.
    let device = major(facts.dev()) << 20 | minor(facts.dev());
    Inode { device, number: facts.ino(), generation }
}

// ioctl_iflags(2) has it write an `int`, whatever size the number of the request says: fs/ext4/ioctl.c, fs/btrfs/ioctl.c,
// fs/xfs/xfs_ioctl.c of 6.12.
nix::ioctl_read_bad!(get_version, nix::request_code_read!(b'v', 1, size_of::<libc::c_long>()), libc::c_int);

/// What the file system tells its inodes of the same number apart by (`i_generation`).
fn generation(file: &File) -> Option<u32> {
    let mut version = 0;
    // SAFETY: the descriptor is open, and the kernel writes no more than the integer that the pointer leads to.
    unsafe { get_version(file.as_raw_fd(), &raw mut version) }.ok()?;
    Some(version.cast_unsigned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use policy::access::{Access, Masks};
    use policy::compiled::{Edge, Node};

    #[test]
    fn only_labelled_files_with_several_names_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("guarded"), "").unwrap();
        fs::hard_link(at("guarded"), at("alias")).unwrap();
        fs::write(at("single"), "").unwrap();
        let mut need = Masks::NONE;
        need.insert(Access::Write, 4);
        let mut compiled = Compiled { unknown_start: 1, ..Compiled::default() };
        compiled.labels = vec![Label::default(), Label { need, ..Label::default() }];
        compiled.nodes = vec![Node::default(), Node::default()];
        let mut from = 1;
        for name in directory.path().components().skip(1) {
            let to = u16::try_from(compiled.nodes.len()).unwrap();
            compiled.nodes.push(Node::default());
            compiled.edges.push(Edge { from, name: name.as_os_str().as_bytes().to_vec(), to });
            from = to;
        }
        for name in ["guarded", "single"] {
            let to = u16::try_from(compiled.nodes.len()).unwrap();
            compiled.nodes.push(Node { label: 1, ..Node::default() });
            compiled.edges.push(Edge { from, name: name.as_bytes().to_vec(), to });
        }
        let links = find(&compiled);
        let inode = fs::metadata(at("alias")).unwrap().ino();
        assert_eq!(links.keys().map(|inode| inode.number).collect::<Vec<_>>(), [inode]);
        assert_eq!(links.values().next().unwrap().need, need);
    }
}
