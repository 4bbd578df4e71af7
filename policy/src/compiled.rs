//! A compiled policy: exactly what the kernel's maps will hold, still as plain Rust values.

use std::collections::BTreeMap;

use crate::access::{Access, Masks};
use crate::decide::Subject;

/// Index of a trie node. [`DEAD`] has no label and no way out.
pub type NodeId = u16;
/// The node from which nothing labelled can be reached.
pub const DEAD: NodeId = 0;
/// Longest name, in bytes, that an edge or a glob may hold (`BZ_NAME_MAX` in wire.h). Longer names in policy are
/// refused by `check`; longer names of files match `*`, `**` and globs only.
pub const NAME_MAX: usize = 56;
/// Deepest pattern, in components (`BZ_RING` in wire.h).
pub const DEPTH_MAX: usize = 24;
/// Most nodes, labels, edges, globs and services of one revision (sizes of the maps in maps.bpf.h).
pub const NODES_MAX: usize = 16_384;
/// See [`NODES_MAX`].
pub const LABELS_MAX: usize = 4_096;
/// See [`NODES_MAX`].
pub const EDGES_MAX: usize = 32_768;
/// See [`NODES_MAX`].
pub const GLOBS_MAX: usize = 1_024;
/// See [`NODES_MAX`].
pub const SERVICES_MAX: usize = 1_023;
/// Most file systems with a start of their own, the start of all others included.
pub const STARTS_MAX: usize = 2_048;
/// Most entries (service × capability × access) that name the rule that decided.
pub const DECIDED_MAX: usize = 32_768;
/// Most entries (address prefix × service) of the outbound table.
pub const OUTBOUND_MAX: usize = 16_384;
/// Most port ranges that may apply to one address prefix of one service.
pub const PORT_RANGES_MAX: usize = 16;

/// What an object means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Label {
    /// The capabilities that each access needs.
    pub need: Masks,
    /// Bartizan's own pins, state and policy: no labelled service may write them.
    pub own: bool,
    /// Of what executing anything needs ([`crate::operation::EXECUTED`]), the capabilities that this does not.
    pub spared: u64,
    /// `systemd-executor`, which prepares a unit inside the unit's own cgroup.
    pub executor: bool,
}

/// A trie node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// Index into [`Compiled::labels`].
    pub label: u16,
    /// Index into [`Compiled::labels`]: what writing this object and everything that may be below it needs, for a
    /// directory that is moved or removed whole.
    pub below: u16,
    /// Where a name goes that has neither an edge nor a glob: the `*` child, the node itself for `**`, or [`DEAD`].
    pub other: NodeId,
    /// Whether [`Compiled::globs`] has a prefix glob at this node.
    pub prefixes: bool,
    /// Whether [`Compiled::globs`] has a suffix glob at this node.
    pub suffixes: bool,
}

/// A literal component: it already contains what globs and `*` of the same node would add for this name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Node it leaves.
    pub from: NodeId,
    /// Name of the component, 1 to [`NAME_MAX`] bytes.
    pub name: Vec<u8>,
    /// Node it reaches.
    pub to: NodeId,
}

/// `syslog*` (prefix) or `*.service` (suffix) in one component. The longest prefix glob wins over the longest suffix
/// glob, which wins over `*`; each already contains what shorter ones would add, and a prefix glob what every suffix
/// glob of its node would add: a name found by its beginning is not asked for its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glob {
    /// Node it leaves.
    pub from: NodeId,
    /// `true`: the text ends the name; `false`: it starts it.
    pub suffix: bool,
    /// The literal text, 1 to [`NAME_MAX`] bytes.
    pub text: Vec<u8>,
    /// Node it reaches.
    pub to: NodeId,
}

/// A file system as the kernel sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileSystem {
    /// By device number.
    Device {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// By `s_magic`, for the pseudo file systems of which each mount has a device of its own
    /// (proc 0x9fa0, sysfs 0x62656572, cgroup2 0x63677270, bpffs 0xcafe4a11, tracefs 0x74726163, debugfs 0x64626720).
    Magic(u64),
}

/// Ports of an outbound rule and what happens to a connection to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortRange {
    /// First port.
    pub first: u16,
    /// Last port, included.
    pub last: u16,
    /// Refuse (`true`) or record (`false`).
    pub prevent: bool,
    /// Index into [`Compiled::rules`].
    pub rule: u16,
}

/// One address prefix of one service, with all port ranges that apply to it, those of covering prefixes included,
/// refusals first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// Service name, as in [`Compiled::services`].
    pub service: String,
    /// Address; IPv4 as `::ffff:a.b.c.d`.
    pub address: [u8; 16],
    /// Bits of the address that count, 0 to 128 (an IPv4 /24 is 120).
    pub bits: u8,
    /// At most [`PORT_RANGES_MAX`].
    pub ports: Vec<PortRange>,
}

/// What the kernel holds about one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// The masks that decide.
    pub subject: Subject,
    /// Never denied and never recorded: PID 1's own helpers, journald, udevd, Bartizan, rescue and emergency shells.
    pub exempt: bool,
    /// Bartizan itself: no other service may signal it or get hold of its memory.
    pub own: bool,
    /// May hand a task over to a `session-*.scope` (sshd, login, cron).
    pub login: bool,
    /// May write Bartizan's own files: named under `operators` in the configuration.
    pub operator: bool,
    /// Each program that it starts is told, so that one which it never ran is noticed.
    pub anomalous: bool,
    /// Index into [`Compiled::rules`] plus one, per capability and access; absent or zero: the model decided. The entry
    /// [`ANOMALOUS`] is about programs that it never ran.
    pub rules: BTreeMap<(u8, u8), u16>,
}

/// Stands in [`Service::rules`] for programs that an active service never ran: no capability and no access has this number.
pub const ANOMALOUS: (u8, u8) = (64, Access::COUNT as u8);

impl Service {
    /// The index of the rule that decided about these missing capabilities, if one did.
    pub fn decided_by(&self, missing: u64, access: Access) -> Option<usize> {
        let bits = (0u8..64).filter(|bit| missing >> bit & 1 == 1);
        let number = bits.filter_map(|bit| self.rules.get(&(bit, access as u8))).next()?;
        usize::from(*number).checked_sub(1)
    }
}

/// A revision, compiled.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// Distinct labels; index 0 is the empty one.
    pub labels: Vec<Label>,
    /// Trie nodes; index 0 is [`DEAD`].
    pub nodes: Vec<Node>,
    /// Literal edges.
    pub edges: Vec<Edge>,
    /// Prefix and suffix globs.
    pub globs: Vec<Glob>,
    /// Where the root of each known file system starts in the trie.
    pub starts: BTreeMap<FileSystem, NodeId>,
    /// Where any other file system starts: the node of `/`.
    pub unknown_start: NodeId,
    /// Per service; template instances are merged (`getty@`), names are without `.service`.
    pub services: BTreeMap<String, Service>,
    /// For a service that nobody has named yet: learning, nothing prevented.
    pub unlisted: Service,
    /// Outbound rules.
    pub outbound: Vec<Outbound>,
    /// What each operation and each kind of file needs, by its number, see [`crate::operation`].
    pub operations: Vec<u64>,
    /// Rule names by index; the id that leaves the kernel is the index plus one.
    pub rules: Vec<String>,
}

impl Compiled {
    /// The part that says what paths and operations mean.
    pub fn paths(&self) -> Compiled {
        Compiled {
            labels: self.labels.clone(),
            nodes: self.nodes.clone(),
            edges: self.edges.clone(),
            globs: self.globs.clone(),
            starts: self.starts.clone(),
            unknown_start: self.unknown_start,
            operations: self.operations.clone(),
            ..Compiled::default()
        }
    }

    /// Whether every path means the same to both.
    pub fn same_paths(&self, other: &Compiled) -> bool {
        self.labels == other.labels
            && self.nodes == other.nodes
            && self.edges == other.edges
            && self.globs == other.globs
            && self.starts == other.starts
            && self.unknown_start == other.unknown_start
    }
}
