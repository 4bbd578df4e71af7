//! To the kernel link.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use actix::prelude::*;
use bpf::kernel::{Decided, Installation, Map, ReadBack, Ring, SeenService};
use bpf::other_names::OtherNames;
use bpf::process::Process;
use policy::access::Access;
use policy::compiled::{Compiled, Service};

/// To [`crate::kernel_link::KernelLink`]: make this revision count. Answers when the kernel holds it, read back.
#[derive(Debug, Message)]
#[rtype(result = "Result<Installation, String>")]
pub struct Install {
    /// Its number.
    pub revision: u64,
    /// What it says on this host.
    pub compiled: Box<Compiled>,
}

/// To [`crate::kernel_link::KernelLink`]: one service of the revision in force has new grants.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Learned {
    /// Name.
    pub name: String,
    /// What the kernel is to hold.
    pub service: Box<Service>,
}

/// To [`crate::kernel_link::KernelLink`]: services that have a number in the kernel.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<SeenService>, String>")]
pub struct Services;

/// To [`crate::kernel_link::KernelLink`]: the service that a process is labelled with.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<String>, String>")]
pub struct ServiceOf(pub Arc<Process>);

/// To [`crate::kernel_link::KernelLink`]: what a file needs by its other names.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<OtherNames>, String>")]
pub struct NamesOf {
    /// The file, without symlinks.
    pub path: PathBuf,
    /// How it would be touched.
    pub access: Access,
    /// What that needs by this name.
    pub known: u64,
}

/// To [`crate::kernel_link::KernelLink`]: read the kernel's counts now. Whether the audit log was given them.
#[derive(Debug, Message)]
#[rtype(result = "Result<bool, String>")]
pub struct CountNow;

/// To [`crate::kernel_link::KernelLink`]: what the kernel really holds, compared, and what was lost.
#[derive(Debug, Message)]
#[rtype(result = "Result<Held, String>")]
pub struct ReadBackNow;

/// Answer to [`ReadBackNow`].
#[derive(Debug, Default)]
pub struct Held {
    /// The comparison.
    pub read_back: ReadBack,
    /// Losses by kind.
    pub loss: BTreeMap<String, u64>,
    /// Whether enforcement was ended by [`Detach`].
    pub off: bool,
}

/// To [`crate::kernel_link::KernelLink`]: the same, with what every map of the revision holds.
#[derive(Debug, Message)]
#[rtype(result = "Result<(Held, Vec<Map>), String>")]
pub struct Attest;

/// To [`crate::kernel_link::KernelLink`]: what the kernel counts by itself.
#[derive(Debug, Message)]
#[rtype(result = "Result<Gauges, String>")]
pub struct ShowGauges;

/// Answer to [`ShowGauges`].
#[derive(Debug)]
pub struct Gauges {
    /// How full the ring buffers are.
    pub rings: Vec<Ring>,
    /// What each hook decided since the programs were loaded.
    pub decided: BTreeMap<&'static str, Decided>,
}

/// To [`crate::kernel_link::KernelLink`]: end enforcement. Answers when no hook runs any more; this link does nothing
/// from then on.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Detach;
