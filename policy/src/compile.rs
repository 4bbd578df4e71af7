//! From rules and models to what the kernel's maps will hold.

mod labels;
mod mounts;
mod outbound;
mod resolve;
mod services;
mod states;
mod trie;

use std::path::PathBuf;

pub use mounts::file_system;
pub use outbound::connections;
pub use services::{anomalous, service};

use crate::capability::Grants;
use crate::compiled::{
    Compiled, DECIDED_MAX, EDGES_MAX, GLOBS_MAX, LABELS_MAX, NODES_MAX, OUTBOUND_MAX, PORT_RANGES_MAX, SERVICES_MAX,
    STARTS_MAX,
};
use crate::distribution;
use crate::host::HostFacts;
use crate::model::State;
use crate::rule::Policy;

/// A service and what its model grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceModel {
    /// Name without `.service`.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// What its model grants, its baseline included.
    pub granted: Grants,
    /// What it grants as well while the service starts.
    pub at_start: Grants,
}

/// What a revision is made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The operator's word.
    pub policy: &'a Policy,
    /// Every service that is known.
    pub services: &'a [ServiceModel],
    /// Bartizan's own trees and files, which no labelled service may write.
    pub own: &'a [PathBuf],
}

/// Why a revision cannot be made. Nothing of it is used then.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A map has not enough room.
    #[error("the policy needs {needed} {what}, and the kernel has room for {room}: {remedy}")]
    TooLarge {
        /// What there are too many of.
        what: &'static str,
        /// How many; for nodes, as many as were counted before giving up.
        needed: usize,
        /// How many fit.
        room: usize,
        /// What makes it smaller.
        remedy: &'static str,
    },
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
pub fn compile(input: &Input<'_>, host: &dyn HostFacts) -> Result<Compiled, CompileError> {
    let mut compiled = Compiled::default();
    let Policy { catalogue, rules, .. } = input.policy;
    let patterns = labels::patterns(&distribution::on(catalogue, &host.release()), input.own, host)?;
    trie::build(&mut compiled, &patterns, &host.mounts(), &host.layers())?;
    compiled.rules = rules.iter().map(|rule| rule.name.clone()).collect();
    services::fill(&mut compiled, input);
    outbound::fill(&mut compiled, input.policy);
    compiled.operations = labels::operations(catalogue);
    fits(&compiled)?;
    Ok(compiled)
}

fn fits(compiled: &Compiled) -> Result<(), CompileError> {
    let room = |what, needed, room, remedy| {
        if needed > room { Err(CompileError::TooLarge { what, needed, room, remedy }) } else { Ok(()) }
    };
    let paths = "unmount what is not needed, or have fewer users with homes of their own";
    room("nodes of paths", compiled.nodes.len(), NODES_MAX, paths)?;
    room("labels of paths", compiled.labels.len(), LABELS_MAX, paths)?;
    room("names of path components", compiled.edges.len(), EDGES_MAX, paths)?;
    room("globs of path components", compiled.globs.len(), GLOBS_MAX, paths)?;
    // One more stands for all file systems that are not known.
    room("mounted file systems", compiled.starts.len(), STARTS_MAX - 1, paths)?;
    // The last number is for all that come when none is left.
    room("services", compiled.services.len(), SERVICES_MAX - 1, "name fewer services in rules")?;
    let decided = compiled.services.values().map(|service| service.rules.len()).sum();
    let fewer = "have violations = \"prevent\" for fewer services, or fewer capabilities in wide rules";
    room("entries that name the deciding rule", decided, DECIDED_MAX, fewer)?;
    let fewer = "deny fewer networks, or for fewer services";
    room("outbound entries (networks, for each service)", compiled.outbound.len(), OUTBOUND_MAX, fewer)?;
    let most = compiled.outbound.iter().map(|entry| entry.ports.len()).max().unwrap_or(0);
    let fewer = "merge ranges, or deny all ports of the network";
    room("port ranges for one network of one service", most, PORT_RANGES_MAX, fewer)?;
    room("rules", compiled.rules.len(), usize::from(u16::MAX) - 1, "merge rules")
}

#[cfg(test)]
#[path = "compile/host_tests.rs"]
mod host_tests;
#[cfg(test)]
#[path = "compile/room_tests.rs"]
mod room_tests;
#[cfg(test)]
#[path = "compile/tests.rs"]
mod tests;
