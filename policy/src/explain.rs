//! What the compiled trie says about a path: the walk that `kern/label.bpf.h` does, in plain Rust.

use std::collections::HashMap;
use std::path::Path;

use crate::compiled::{Compiled, DEAD, DEPTH_MAX, FileSystem, Label, NAME_MAX, NodeId};
use crate::host::Mount;
use crate::locate::locate;
use crate::operation::EXECUTED;

/// Of one node: whether it is a suffix, its text, where it leads.
type Globs<'a> = Vec<(bool, &'a [u8], NodeId)>;

/// The trie of a revision, indexed by node.
#[derive(Debug)]
pub struct Walk<'a> {
    compiled: &'a Compiled,
    edges: HashMap<(NodeId, &'a [u8]), NodeId>,
    globs: HashMap<NodeId, Globs<'a>>,
}

impl<'a> Walk<'a> {
    /// Prepares the walk.
    pub fn new(compiled: &'a Compiled) -> Walk<'a> {
        let mut globs: HashMap<NodeId, Globs<'a>> = HashMap::new();
        for glob in &compiled.globs {
            globs.entry(glob.from).or_default().push((glob.suffix, &glob.text, glob.to));
        }
        let edges = compiled.edges.iter().map(|edge| ((edge.from, edge.name.as_slice()), edge.to)).collect();
        Walk { compiled, edges, globs }
    }

    /// The node where a file system starts.
    pub fn start(&self, file_system: Option<FileSystem>) -> NodeId {
        file_system
            .and_then(|file_system| self.compiled.starts.get(&file_system))
            .copied()
            .unwrap_or(self.compiled.unknown_start)
    }

    /// The node below another by one name.
    pub fn child(&self, node: NodeId, name: &[u8]) -> NodeId {
        if node == DEAD {
            return DEAD;
        }
        if name.len() <= NAME_MAX
            && let Some(to) = self.edges.get(&(node, name))
        {
            return *to;
        }
        let globs = self.globs.get(&node).map(Vec::as_slice).unwrap_or_default();
        let longest = |suffix: bool| {
            let fits = |text: &[u8]| if suffix { name.ends_with(text) } else { name.starts_with(text) };
            globs
                .iter()
                .filter(|(kind, text, _)| *kind == suffix && fits(text))
                .max_by_key(|(_, text, _)| text.len())
                .map(|(_, _, to)| *to)
        };
        longest(false)
            .or_else(|| longest(true))
            .unwrap_or_else(|| self.compiled.nodes.get(usize::from(node)).map_or(DEAD, |node| node.other))
    }

    /// The node of a path from the root of a file system: of a deep one, the kernel reads the first names only, as
    /// what lies deeper than any pattern can be below a `**` alone.
    pub fn node_of(&self, file_system: Option<FileSystem>, names: &[&[u8]]) -> NodeId {
        names.iter().take(DEPTH_MAX).fold(self.start(file_system), |node, name| self.child(node, name))
    }

    /// What a path from the root of a file system means.
    pub fn label_of(&self, file_system: Option<FileSystem>, names: &[&[u8]]) -> Label {
        let node = self.compiled.nodes.get(usize::from(self.node_of(file_system, names)));
        self.label(node.map(|node| node.label))
    }

    /// What a path of the host without symlinks means.
    pub fn label_at(&self, path: &Path, mounts: &[Mount]) -> Label {
        let (file_system, names) = locate(path, mounts);
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        self.label_of(file_system, &names)
    }

    /// What executing needs for being on no list of programs, beyond the label's own need.
    pub fn unlisted(&self, label: &Label) -> u64 {
        self.compiled.operations.get(usize::from(EXECUTED)).copied().unwrap_or(0) & !label.spared
    }

    /// What moving or removing a path with everything below it needs, beyond the path's own label.
    pub fn below(&self, file_system: Option<FileSystem>, names: &[&[u8]]) -> Label {
        let node = self.compiled.nodes.get(usize::from(self.node_of(file_system, names)));
        self.label(node.map(|node| node.below))
    }

    fn label(&self, id: Option<u16>) -> Label {
        id.and_then(|id| self.compiled.labels.get(usize::from(id))).copied().unwrap_or_default()
    }
}
