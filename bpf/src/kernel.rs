//! What the rest of Bartizan may ask of the kernel.

use std::collections::BTreeMap;
use std::path::Path;

use policy::access::Access;
use policy::compiled::{Compiled, Service};

use crate::event::{Flood, Repeat};
use crate::other_names::OtherNames;
use crate::process::Process;

/// A service that has a number in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenService {
    /// Name without `.service`.
    pub name: String,
    /// Its tasks were already running when the programs were loaded: they were labelled from the cgroup tree.
    pub started_earlier: bool,
    /// Whether a cgroup of it exists now.
    pub running: bool,
    /// The slice in which it runs, without `.slice`; of a template's instances the deepest that holds all.
    pub slice: Option<String>,
}

/// One hook and whether its program is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Name of the kernel's hook, e.g. `inode_setattr`.
    pub name: String,
    /// Name of the program that was chosen by the hook's prototype.
    pub program: String,
    /// Whether the link was read back from the kernel and leads to this program.
    pub attached: bool,
    /// The kernel's tag of the program that was attached: a digest of its instructions, hexadecimal.
    pub tag: String,
}

/// What installing a revision came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Installation {
    /// The number that events decided by this revision carry.
    pub generation: u64,
    /// Entries of maps that the revision has.
    pub entries: usize,
    /// Entries that differed from what the slot held, the revision before the last, and were written or removed.
    pub written: usize,
}

/// One map of the revision, as the kernel holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Its name.
    pub name: String,
    /// Entries that the kernel holds for the revision in force.
    pub entries: usize,
    /// SHA-256 over their keys and values in the order of the keys, hexadecimal.
    pub digest: String,
}

/// A ring buffer between the kernel and the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Name of its map.
    pub name: String,
    /// Bytes that wait to be read, headers included.
    pub waiting: u64,
    /// Bytes that it holds.
    pub size: u64,
}

/// What a hook decided, as the kernel counted it: each act, however little of it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// Acts that it refused.
    pub refused: u64,
    /// Acts that it permitted and that are recorded.
    pub audited: u64,
}

/// What the kernel holds, compared with what it should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadBack {
    /// Every hook in use.
    pub hooks: Vec<Hook>,
    /// One sentence per difference; empty when all agrees.
    pub differences: Vec<String>,
}

/// Why the kernel did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// A map, program or link could not be used.
    #[error("{what}: {source}")]
    Bpf {
        /// Which map, program or link, and what was tried.
        what: String,
        /// libbpf's error.
        source: std::io::Error,
    },
    /// The kernel lacks something without which nothing can be enforced.
    #[error(transparent)]
    Unsupported(crate::support::SupportError),
    /// The kernel has all that is needed but refuses the programs.
    #[error("the kernel refuses to load Bartizan's LSM programs, although it has what they need: {source}")]
    Refused {
        /// libbpf's error.
        source: std::io::Error,
    },
    /// The revision does not fit the maps.
    #[error("{0}")]
    TooLarge(String),
    /// The change was written but reading it back gave something else.
    #[error("the kernel does not hold the revision after it was written: {0}")]
    NotHeld(String),
}

impl KernelError {
    /// Whether trying again on this machine is in vain.
    pub fn is_final(&self) -> bool {
        matches!(self, KernelError::Unsupported(_) | KernelError::Refused { .. })
    }

    pub(crate) fn bpf(what: String, error: libbpf_rs::Error) -> KernelError {
        KernelError::Bpf { what, source: std::io::Error::other(error) }
    }
}

/// The kernel, as seen from above. Implemented by [`crate::enforcement::Enforcement`] and, in tests, by a fake.
pub trait Kernel: Send {
    /// Writes a whole revision beside the active one, flips to it, and reads it back. On an error the revision before stays in force.
    fn install(&mut self, compiled: &Compiled) -> Result<Installation, KernelError>;

    /// The generation that the next [`Kernel::install`] will return.
    fn next_generation(&mut self) -> Result<u64, KernelError>;

    /// A number that is this load's own: counts that the kernel keeps go on as long as it stays the same.
    fn load(&mut self) -> Result<u64, KernelError>;

    /// Changes one service of the active revision in place. Only for grants that a service gained, by learning or by an
    /// import: they never widen what is refused, and a half-seen change does no harm there.
    fn learn(&mut self, name: &str, service: &Service) -> Result<(), KernelError>;

    /// Every service that has a number in the kernel.
    fn services(&mut self) -> Result<Vec<SeenService>, KernelError>;

    /// The service that a process is labelled with, by its main thread. `None`: it has no service. One that has ended is an
    /// error.
    fn service_of(&mut self, process: &Process) -> Result<Option<String>, KernelError>;

    /// What a file needs for this access by other names than the one under which it is asked for, which needs `known`. `None`:
    /// nothing more.
    fn other_names(&mut self, path: &Path, access: Access, known: u64) -> Result<Option<OtherNames>, KernelError>;

    /// Repeats of every kind of act that is still counted. Kinds that were quiet for long are counted for the last time.
    fn repeats(&mut self) -> Result<Vec<Repeat>, KernelError>;

    /// Floods since the programs were loaded.
    fn floods(&mut self) -> Result<Vec<Flood>, KernelError>;

    /// What could not be delivered, per kind, since the programs were loaded.
    fn loss(&mut self) -> Result<BTreeMap<String, u64>, KernelError>;

    /// Reads programs, links and maps back and compares them with the installed revision.
    fn read_back(&mut self) -> Result<ReadBack, KernelError>;

    /// The same little by little: what decides most is compared each time, and the rest once in six.
    fn read_back_part(&mut self) -> Result<ReadBack, KernelError> {
        self.read_back()
    }

    /// Ends enforcement: returns when the kernel has let go of every link. What was counted can still be read.
    fn detach(&mut self) -> Result<(), KernelError>;

    /// What each hook decided since the programs were loaded, by the hook's name.
    fn decided(&mut self) -> Result<BTreeMap<&'static str, Decided>, KernelError>;

    /// How full the ring buffers are.
    fn rings(&mut self) -> Result<Vec<Ring>, KernelError>;

    /// What each map of the revision holds, read from the kernel.
    fn maps(&mut self) -> Result<Vec<Map>, KernelError>;
}
