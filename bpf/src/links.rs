//! Hard links that were there before the programs were: a labelled file may be reached by a name that means nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use policy::compiled::{Compiled, DEAD, Label, NodeId};
use policy::explain::Walk;

use crate::inode::Inode;

/// File systems that the kernel makes up as they are read. They have no hard links, and some have no end.
const MADE_UP: [&str; 9] =
    ["proc", "sysfs", "cgroup", "cgroup2", "bpf", "tracefs", "debugfs", "securityfs", "binfmt_misc"];

/// What the names of each inode with several names need, taken together.
pub(crate) type Links = BTreeMap<Inode, Label>;

/// Looks at every file that has a label on this host. What cannot be read is left out: it is gone, or its file system
/// does not answer.
pub(crate) fn find(compiled: &Compiled) -> Links {
    search(compiled, None).links
}

/// The names of one inode that mean something on this host, with what each means.
pub(crate) fn names(compiled: &Compiled, inode: Inode) -> Vec<(PathBuf, Label)> {
    search(compiled, Some(inode)).names
}

fn search(compiled: &Compiled, wanted: Option<Inode>) -> Search<'_> {
    let mounts = policy::host::parse_mountinfo(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
    let made_up = mounts.into_iter().filter(|mount| MADE_UP.contains(&mount.kind.as_str()));
    let made_up = made_up.map(|mount| mount.point).collect();
    let walk = Walk::new(compiled);
    let mut search = Search { walk, compiled, made_up, links: Links::new(), wanted, names: Vec::new() };
    search.directory(Path::new("/"), compiled.unknown_start);
    search
}

struct Search<'a> {
    walk: Walk<'a>,
    compiled: &'a Compiled,
    made_up: BTreeSet<PathBuf>,
    links: Links,
    wanted: Option<Inode>,
    names: Vec<(PathBuf, Label)>,
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
                self.file(&entry.path(), child);
            }
        }
    }

    fn file(&mut self, path: &Path, node: NodeId) {
        let label = self.compiled.nodes.get(usize::from(node)).map_or(0, |node| usize::from(node.label));
        let means_something = |label: &&Label| Label { spared: 0, ..**label } != Label::default();
        let Some(label) = self.compiled.labels.get(label).filter(means_something) else { return };
        let Some(inode) = Inode::of(path) else { return };
        if self.wanted == Some(inode) {
            self.names.push((path.to_path_buf(), *label));
        }
        let known = self.links.entry(inode).or_default();
        known.need = known.need.union(label.need);
        known.own |= label.own;
        known.executor |= label.executor;
    }
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
        let wanted = Inode::of(&at("alias")).unwrap();
        let found: Vec<PathBuf> = names(&compiled, wanted).into_iter().map(|(path, _)| path).collect();
        assert_eq!(found, [at("guarded")]);
    }
}
