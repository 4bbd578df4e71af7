//! What the kernel tells, decoded: one [`Event`] per record of a ring buffer.

use std::fmt;
use std::net::IpAddr;
use std::sync::mpsc::SyncSender;
use std::time::SystemTime;

use compact_str::CompactString;
use policy::access::Access;
use policy::decide::Verdict;

/// What an act touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A file, directory, program or unix socket, as a path in the host's mount namespace.
    Path(CompactString),
    /// An address on the network.
    Destination {
        /// IPv4-mapped addresses are given as IPv4.
        address: IpAddr,
        /// Port; 0 where the protocol has none.
        port: u16,
        /// `tcp`, `udp`, `sctp`, … or the protocol's number.
        protocol: CompactString,
    },
    /// A kernel operation.
    Operation {
        /// `mount`, `umount`, …
        name: &'static str,
        /// What it was aimed at.
        path: CompactString,
    },
    /// A cgroup: the one in which a task was found against its label.
    Cgroup(CompactString),
}

/// Why the kernel recorded an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// Capabilities were missing.
    Capability,
    /// An outbound rule matched.
    Outbound,
    /// A task's label and its cgroup disagree.
    Escape,
    /// A labelled service touched Bartizan's own pins, state or policy, or bpffs itself.
    Tamper,
    /// A service ran a program (observations only, whether or not the program has a label).
    Program,
    /// A service connected to an address (observations only).
    Destination,
}

/// The arguments with which a program was started. They may hold secrets, so that nothing shows them by accident.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// Each argument with a NUL behind it; empty: they could not be read.
    pub bytes: Vec<u8>,
    /// There were more than the kernel tells.
    pub cut: bool,
}

impl fmt::Debug for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Command({} bytes)", self.bytes.len())
    }
}

/// A parent of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// The name of its main thread, of 15 bytes at most.
    pub comm: CompactString,
    /// When it was started.
    pub start: SystemTime,
}

/// The process that acted, beyond its program and its user. Events of programs from before version 2 of the event have none of
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acting {
    /// When it was started.
    pub start: Option<SystemTime>,
    /// Who logged in; `None`: nobody, as for services.
    pub login_uid: Option<u32>,
    /// The kernel's number of that login (audit session).
    pub session: Option<u32>,
    /// What it was started with.
    pub command: Command,
    /// Its parents, nearest first, up to the unit's main process, at most 8.
    pub ancestors: Vec<Ancestor>,
    /// Names of its cgroup and of those above it, as far as the kernel tells them.
    pub cgroup: Vec<CompactString>,
}

/// Where an event stands among those that one CPU told in the same ring: each has the next number, and so has one that was
/// lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The CPU.
    pub cpu: u32,
    /// From 1, since the programs were loaded.
    pub number: u64,
}

/// Which file an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode {
    /// Major number of its device.
    pub major: u32,
    /// Minor number of its device.
    pub minor: u32,
    /// Its number there; `None`: it does not exist (yet).
    pub number: Option<u64>,
}

/// One act of one task of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// When it happened.
    pub time: SystemTime,
    /// Why it is told.
    pub why: Why,
    /// Service of the task, without `.service`.
    pub service: CompactString,
    /// How the object was touched.
    pub access: Access,
    /// What the kernel did.
    pub verdict: Verdict,
    /// The capabilities that were missing, as bits.
    pub capabilities: u64,
    /// The rule that decided, as index plus one into `Compiled::rules` of `generation`; `None`: the model.
    pub rule: Option<u16>,
    /// The generation that decided; see [`crate::kernel::Kernel::install`].
    pub generation: u64,
    /// What was touched.
    pub object: Object,
    /// Which file that is, if it is one.
    pub inode: Option<Inode>,
    /// Path of the program that the task was running.
    pub exe: CompactString,
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Effective user id in the initial user namespace.
    pub uid: u32,
    /// More about the process.
    pub acting: Acting,
    /// Of a violation: its number.
    pub sequence: Option<Sequence>,
    /// Of an observation: early in the start of its unit.
    pub at_start: bool,
    /// Names this kind of act; later [`Repeat`]s of it carry the same number. Zero: repeats are not counted.
    pub key: u64,
}

/// Something the kernel told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A denied or audited act: the first of its kind.
    Violation(Act),
    /// A learning service did something that its model does not have; once per service, access and object.
    Observation(Act),
    /// A service was placed by PID 1 for the first time since the programs were loaded.
    ServiceSeen {
        /// Name without `.service`.
        service: String,
    },
}

/// Events on their way, in their order. Until this is dropped they stay in the kernel's ring as well, where the next
/// start finds them.
#[derive(Debug)]
pub struct Delivery {
    /// What was told; never nothing.
    pub events: Vec<Event>,
    pub(crate) _taken: SyncSender<()>,
}

/// Repeats of an act that was told before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// [`Act::key`] of the first.
    pub key: u64,
    /// How often it happened again since the first, which is not counted.
    pub count: u64,
}

/// Acts beyond the bound on distinct objects, which therefore have no record of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Service of the tasks.
    pub service: String,
    /// How the objects were touched.
    pub access: Access,
    /// Index of the first missing capability; `None` for outbound rules.
    pub capability: Option<u8>,
    /// Whether the acts were refused.
    pub verdict: Verdict,
    /// Exact number of acts since the programs were loaded.
    pub count: u64,
}
