//! Patterns to one deterministic trie: an edge per name, with all that globs and `**` add already in it.
//!
//! A node stands for a set of states, each saying how far a pattern has been matched. Sets that are equal share a node,
//! so the trie stays small although every file system starts in it at a place of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::CompileError;
use super::labels::Patterns;
use crate::compiled::{Compiled, Edge, FileSystem, Glob, Label, Node, NodeId};
use crate::host::Mount;
use crate::pattern::{Component, Pattern};

/// File systems that are recognised by type, with their `s_magic`.
const PSEUDO: [(&str, u64); 6] = [
    ("proc", 0x9fa0),
    ("sysfs", 0x6265_6572),
    ("cgroup2", 0x6367_7270),
    ("bpf", 0xcafe_4a11),
    ("tracefs", 0x7472_6163),
    ("debugfs", 0x6462_6720),
];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum State {
    /// The first `usize` components of a pattern are matched, some are left.
    At(usize, usize),
    /// A pattern with this label id ends here.
    Done(u16),
    /// A pattern with this label id ends in `**`: here and everything below.
    Below(u16),
    /// On the way from the root of a file system to the root of a mount.
    Chain(usize, usize),
}

type Set = BTreeSet<State>;

struct Builder<'a> {
    patterns: Vec<(&'a Pattern, u16)>,
    /// Per mount: names from the file system's root to the mount's root, and the states there.
    chains: Vec<(Vec<Vec<u8>>, Set)>,
    labels: Vec<Label>,
    label_ids: HashMap<Label, u16>,
    nodes: HashMap<Set, NodeId>,
    open: Vec<(Set, NodeId)>,
}

/// Fills labels, nodes, edges, globs and starts.
pub(super) fn build(compiled: &mut Compiled, patterns: &Patterns, mounts: &[Mount]) -> Result<(), CompileError> {
    let mut builder = Builder::new(patterns);
    let root = builder.root();
    let mut starts: BTreeMap<FileSystem, Set> = BTreeMap::new();
    for mount in mounts {
        let start = builder.start(&root, mount);
        starts.entry(file_system(mount)).or_default().extend(start);
    }
    compiled.nodes = vec![Node::default()];
    compiled.unknown_start = builder.node(compiled, root)?;
    for (file_system, set) in starts {
        let node = builder.node(compiled, set)?;
        compiled.starts.insert(file_system, node);
    }
    while let Some((set, node)) = builder.open.pop() {
        builder.leave(compiled, &set, node)?;
    }
    compiled.labels = builder.labels;
    Ok(())
}

fn file_system(mount: &Mount) -> FileSystem {
    match PSEUDO.iter().find(|(kind, _)| *kind == mount.kind) {
        Some((_, magic)) => FileSystem::Magic(*magic),
        None => FileSystem::Device { major: mount.major, minor: mount.minor },
    }
}

fn names(path: &Path) -> Vec<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt as _;
    let bytes = path.as_os_str().as_bytes();
    bytes.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
}

impl<'a> Builder<'a> {
    fn new(patterns: &'a Patterns) -> Builder<'a> {
        let mut builder = Builder {
            patterns: Vec::new(),
            chains: Vec::new(),
            labels: Vec::new(),
            label_ids: HashMap::new(),
            nodes: HashMap::new(),
            open: Vec::new(),
        };
        builder.label(Label::default());
        for (pattern, label) in patterns {
            let id = builder.label(*label);
            builder.patterns.push((pattern, id));
        }
        builder
    }

    fn label(&mut self, label: Label) -> u16 {
        // More than 65,535 labels fail in `fits`: ids that wrapped are never used.
        let next = u16::try_from(self.labels.len()).unwrap_or(u16::MAX);
        *self.label_ids.entry(label).or_insert_with(|| {
            self.labels.push(label);
            next
        })
    }

    /// The states of `/` in the host's namespace.
    fn root(&self) -> Set {
        let mut set = Set::new();
        (0..self.patterns.len()).for_each(|pattern| self.enter(&mut set, pattern, 0));
        set
    }

    /// Adds the state "the first `at` components are matched" in its simplest form.
    fn enter(&self, set: &mut Set, pattern: usize, at: usize) {
        let Some((components, label)) = self.patterns.get(pattern).map(|(pattern, label)| (&pattern.0, *label)) else {
            return;
        };
        match components.get(at..) {
            Some([]) | None => {
                set.insert(State::Done(label));
            }
            Some([Component::AnyDepth]) => {
                set.insert(State::Below(label));
            }
            Some([Component::AnyDepth, ..]) => {
                set.insert(State::At(pattern, at));
                self.enter(set, pattern, at + 1);
            }
            Some(_) => {
                set.insert(State::At(pattern, at));
            }
        }
    }

    /// The states at the root of a mount's file system.
    fn start(&mut self, root: &Set, mount: &Mount) -> Set {
        let there = names(&mount.point).iter().fold(root.clone(), |set, name| self.step(&set, name));
        let way = names(&mount.root);
        if way.is_empty() {
            return there;
        }
        self.chains.push((way, there));
        Set::from([State::Chain(self.chains.len() - 1, 0)])
    }

    fn step(&self, set: &Set, name: &[u8]) -> Set {
        self.step_where(set, |component| component.fits(name), Some(name))
    }

    /// The states after a name of which it is known which components it fits.
    fn step_where(&self, set: &Set, fits: impl Fn(&Component) -> bool, name: Option<&[u8]>) -> Set {
        let mut next = Set::new();
        for state in set {
            match state {
                State::Below(label) => {
                    next.insert(State::Below(*label));
                }
                State::At(pattern, at) => match self.component(*pattern, *at) {
                    Some(Component::AnyDepth) => self.enter(&mut next, *pattern, *at),
                    Some(component) if fits(component) => self.enter(&mut next, *pattern, at + 1),
                    _ => {}
                },
                State::Chain(mount, at) => self.chain_step(&mut next, *mount, *at, name),
                State::Done(_) => {}
            }
        }
        next
    }

    fn chain_step(&self, next: &mut Set, mount: usize, at: usize, name: Option<&[u8]>) {
        let Some((way, there)) = self.chains.get(mount) else { return };
        if way.get(at).map(Vec::as_slice) != name || name.is_none() {
            return;
        }
        if at + 1 == way.len() {
            next.extend(there.iter().cloned());
        } else {
            next.insert(State::Chain(mount, at + 1));
        }
    }

    fn component(&self, pattern: usize, at: usize) -> Option<&'a Component> {
        self.patterns.get(pattern).and_then(|(pattern, _)| pattern.0.get(at))
    }

    /// The node of a set; new ones wait to be left.
    fn node(&mut self, compiled: &mut Compiled, set: Set) -> Result<NodeId, CompileError> {
        if set.is_empty() {
            return Ok(0);
        }
        if let Some(known) = self.nodes.get(&set) {
            return Ok(*known);
        }
        let id = NodeId::try_from(compiled.nodes.len()).map_err(|_| CompileError::TooLarge {
            what: "nodes",
            needed: compiled.nodes.len(),
            room: crate::compiled::NODES_MAX,
        })?;
        let mut label = Label::default();
        for state in &set {
            if let State::Done(one) | State::Below(one) = state
                && let Some(more) = self.labels.get(usize::from(*one))
            {
                label.need = label.need.union(more.need);
                label.own |= more.own;
                label.executor |= more.executor;
            }
        }
        let label = self.label(label);
        compiled.nodes.push(Node { label, ..Node::default() });
        self.nodes.insert(set.clone(), id);
        self.open.push((set, id));
        Ok(id)
    }

    /// Everything that leads out of a node.
    fn leave(&mut self, compiled: &mut Compiled, set: &Set, from: NodeId) -> Result<(), CompileError> {
        let (mut literals, mut prefixes, mut suffixes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for state in set {
            match state {
                State::At(pattern, at) => match self.component(*pattern, *at) {
                    Some(Component::Literal(text)) => drop(literals.insert(text.clone())),
                    Some(Component::Prefix(text)) => drop(prefixes.insert(text.clone())),
                    Some(Component::Suffix(text)) => drop(suffixes.insert(text.clone())),
                    _ => {}
                },
                State::Chain(mount, at) => {
                    literals.extend(self.chains.get(*mount).and_then(|(way, _)| way.get(*at)).cloned());
                }
                _ => {}
            }
        }
        if !prefixes.is_empty() && !suffixes.is_empty() {
            let names: Vec<String> =
                prefixes.iter().chain(&suffixes).map(|text| String::from_utf8_lossy(text).into_owned()).collect();
            return Err(CompileError::GlobsMeet(format!("the directory of the globs with {}", names.join(", "))));
        }
        for name in literals {
            let next = self.step(set, &name);
            let to = self.node(compiled, next)?;
            compiled.edges.push(Edge { from, name, to });
        }
        self.leave_by_globs(compiled, set, from, &prefixes, &suffixes)?;
        let other = self.step_where(set, |component| matches!(component, Component::Any), None);
        let other = self.node(compiled, other)?;
        if let Some(node) = compiled.nodes.get_mut(usize::from(from)) {
            node.other = other;
            node.prefixes = !prefixes.is_empty();
            node.suffixes = !suffixes.is_empty();
        }
        Ok(())
    }

    fn leave_by_globs(
        &mut self,
        compiled: &mut Compiled,
        set: &Set,
        from: NodeId,
        prefixes: &BTreeSet<Vec<u8>>,
        suffixes: &BTreeSet<Vec<u8>>,
    ) -> Result<(), CompileError> {
        let globs = prefixes.iter().map(|text| (false, text)).chain(suffixes.iter().map(|text| (true, text)));
        for (suffix, text) in globs {
            // A name whose longest glob is this one fits the shorter ones that this one starts (or ends) with.
            let fits = |component: &Component| match component {
                Component::Prefix(other) => text.starts_with(other),
                Component::Suffix(other) => text.ends_with(other),
                other => matches!(other, Component::Any),
            };
            let next = self.step_where(set, fits, None);
            let to = self.node(compiled, next)?;
            compiled.globs.push(Glob { from, suffix, text: text.clone(), to });
        }
        Ok(())
    }
}
