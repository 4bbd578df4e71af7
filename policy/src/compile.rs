//! From rules and models to what the kernel's maps will hold.

mod labels;
mod outbound;
mod services;
mod trie;

use std::path::PathBuf;

pub use services::service;

use crate::access::Masks;
use crate::capability::Catalogue;
use crate::compiled::{
    Compiled, EDGES_MAX, GLOBS_MAX, LABELS_MAX, NODES_MAX, OUTBOUND_MAX, PORT_RANGES_MAX, SERVICES_MAX,
};
use crate::host::HostFacts;
use crate::model::State;
use crate::rule::Rule;

/// A service and what its model grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceModel {
    /// Name without `.service`.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// What its model grants, its baseline included.
    pub granted: Masks,
}

/// What a revision is made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The operator's rules.
    pub rules: &'a [Rule],
    /// Every service that is known.
    pub services: &'a [ServiceModel],
    /// Bartizan's own trees and files, which no labelled service may write.
    pub own: &'a [PathBuf],
}

/// Why a revision cannot be made. Nothing of it is used then.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A map has not enough room.
    #[error("the policy needs {needed} {what}, and the kernel's maps have room for {room}")]
    TooLarge {
        /// What there are too many of.
        what: &'static str,
        /// How many.
        needed: usize,
        /// How many fit.
        room: usize,
    },
    /// A prefix glob and a suffix glob meet in one directory.
    #[error("in {0} both a glob such as `a*` and one such as `*.b` apply, and the kernel can ask for one kind only")]
    GlobsMeet(String),
    /// A path of the catalogue cannot be used.
    #[error("the path {path}: {message}")]
    Path {
        /// The path as written.
        path: String,
        /// What was expected.
        message: String,
    },
}

/// Compiles a revision for this host.
pub fn compile(catalogue: &Catalogue, input: &Input<'_>, host: &dyn HostFacts) -> Result<Compiled, CompileError> {
    let mut compiled = Compiled::default();
    let patterns = labels::patterns(catalogue, input.own, host)?;
    trie::build(&mut compiled, &patterns, &host.mounts())?;
    compiled.rules = input.rules.iter().map(|rule| rule.name.clone()).collect();
    services::fill(&mut compiled, catalogue, input);
    outbound::fill(&mut compiled, input.rules)?;
    compiled.operations = labels::operations(catalogue);
    fits(&compiled)?;
    Ok(compiled)
}

fn fits(compiled: &Compiled) -> Result<(), CompileError> {
    let room =
        |what, needed, room| if needed > room { Err(CompileError::TooLarge { what, needed, room }) } else { Ok(()) };
    room("nodes", compiled.nodes.len(), NODES_MAX)?;
    room("labels", compiled.labels.len(), LABELS_MAX)?;
    room("names of path components", compiled.edges.len(), EDGES_MAX)?;
    room("globs", compiled.globs.len(), GLOBS_MAX)?;
    // Number 0 stands for all services without a policy of their own.
    room("services", compiled.services.len(), SERVICES_MAX - 1)?;
    room("outbound entries", compiled.outbound.len(), OUTBOUND_MAX)?;
    let most = compiled.outbound.iter().map(|entry| entry.ports.len()).max().unwrap_or(0);
    room("port ranges for one address of one service", most, PORT_RANGES_MAX)?;
    room("rules", compiled.rules.len(), usize::from(u16::MAX) - 1)
}

#[cfg(test)]
#[path = "compile/tests.rs"]
mod tests;
