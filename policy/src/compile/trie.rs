//! Patterns to one deterministic trie: an edge per name, with all that globs and `**` add already in it.
//!
//! A node stands for a set of states, each saying what of a pattern is still to be matched. Sets that are equal share a
//! node, so the trie stays small although every file system starts in it at a place of its own.

use std::collections::HashMap;

use super::CompileError;
use super::labels::Patterns;
use super::mounts;
use super::states::{Exits, Set, States};
use crate::compiled::{Compiled, Edge, Glob, Label, NODES_MAX, Node, NodeId};
use crate::host::{Layer, Mount};
use crate::pattern::Component;

struct Builder {
    states: States,
    nodes: HashMap<Set, NodeId>,
    open: Vec<(Set, NodeId)>,
}

/// Fills labels, nodes, edges, globs and starts.
pub(super) fn build(
    compiled: &mut Compiled,
    patterns: &Patterns,
    mounts: &[Mount],
    layers: &[Layer],
) -> Result<(), CompileError> {
    let mut states = States::new();
    let root = states.root(patterns);
    let starts = mounts::starts(&mut states, &root, mounts, layers);
    let unknown = states.root(&strict(patterns));
    let mut builder = Builder { states, nodes: HashMap::new(), open: Vec::new() };
    compiled.nodes = vec![Node::default()];
    compiled.unknown_start = builder.node(compiled, unknown)?;
    for (file_system, set) in starts {
        let node = builder.node(compiled, set)?;
        compiled.starts.insert(file_system, node);
    }
    while let Some((set, node)) = builder.open.pop() {
        builder.leave(compiled, &set, node)?;
    }
    compiled.labels = builder.states.into_labels();
    Ok(())
}

/// For file systems that the host does not have: whoever mounts one chooses the names in it, and no name spares anything.
fn strict(patterns: &Patterns) -> Patterns {
    patterns.iter().map(|(pattern, label)| (pattern.clone(), Label { spared: 0, ..*label })).collect()
}

impl Builder {
    /// The node of a set; new ones wait to be left.
    fn node(&mut self, compiled: &mut Compiled, set: Set) -> Result<NodeId, CompileError> {
        if set.is_empty() {
            return Ok(0);
        }
        if let Some(known) = self.nodes.get(&set) {
            return Ok(*known);
        }
        let needed = compiled.nodes.len() + 1;
        let remedy = "unmount what is not needed, or have fewer users with homes of their own";
        let too_large = CompileError::TooLarge { what: "nodes of paths", needed, room: NODES_MAX, remedy };
        let id = NodeId::try_from(compiled.nodes.len()).ok().filter(|_| needed <= NODES_MAX).ok_or(too_large)?;
        let (label, below) = (self.states.meaning(&set), self.states.below(&set));
        let (label, below) = (self.states.label(label), self.states.label(below));
        compiled.nodes.push(Node { label, below, ..Node::default() });
        self.nodes.insert(set.clone(), id);
        self.open.push((set, id));
        Ok(id)
    }

    /// Everything that leads out of a node.
    fn leave(&mut self, compiled: &mut Compiled, set: &Set, from: NodeId) -> Result<(), CompileError> {
        let mut exits = self.states.exits(set);
        for (name, next) in std::mem::take(&mut exits.literals) {
            let to = self.node(compiled, next)?;
            compiled.edges.push(Edge { from, name, to });
        }
        self.leave_by_globs(compiled, set, from, &exits)?;
        let other = self.states.step_where(set, |component| matches!(component, Component::Any));
        let other = self.node(compiled, other)?;
        if let Some(node) = compiled.nodes.get_mut(usize::from(from)) {
            node.other = other;
            node.prefixes = !exits.prefixes.is_empty();
            node.suffixes = !exits.suffixes.is_empty();
        }
        Ok(())
    }

    fn leave_by_globs(
        &mut self,
        compiled: &mut Compiled,
        set: &Set,
        from: NodeId,
        exits: &Exits,
    ) -> Result<(), CompileError> {
        let prefixes = exits.prefixes.iter().map(|text| (false, text));
        for (suffix, text) in prefixes.chain(exits.suffixes.iter().map(|text| (true, text))) {
            // A name whose longest glob is this one fits the shorter ones that this one starts (or ends) with. A name
            // found by a prefix is not asked for its suffixes, so it is taken to fit all of them.
            let fits = |component: &Component| match component {
                Component::Prefix(other) => !suffix && text.starts_with(other),
                Component::Suffix(other) => !suffix || text.ends_with(other),
                other => matches!(other, Component::Any),
            };
            let to = self.node(compiled, self.states.step_where(set, fits))?;
            compiled.globs.push(Glob { from, suffix, text: text.clone(), to });
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "trie_tests.rs"]
mod tests;
