//! How an object is touched, and sets of capabilities per way of touching it.

use serde::{Deserialize, Serialize};

/// How an object is touched. The numbers are those of `enum bz_access` in `bpf/kern/wire.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Access {
    /// A program is run.
    Execute = 0,
    /// A file is opened for reading.
    Read = 1,
    /// A file or its name is changed: written, created, renamed, linked, unlinked, its mode or owner set.
    Write = 2,
    /// A unix socket is connected to.
    Connect = 3,
    /// A kernel operation, such as mount.
    Operate = 4,
}

impl Access {
    /// How many accesses there are.
    pub const COUNT: usize = 5;
    /// Every access, in the order of their numbers.
    pub const ALL: [Access; Self::COUNT] =
        [Access::Execute, Access::Read, Access::Write, Access::Connect, Access::Operate];

    /// The name used in TOML, JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Access::Execute => "execute",
            Access::Read => "read",
            Access::Write => "write",
            Access::Connect => "connect",
            Access::Operate => "operate",
        }
    }

    /// The access with this number in `wire.h`, if there is one.
    pub fn from_number(number: u8) -> Option<Access> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The access with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Access> {
        Self::ALL.into_iter().find(|access| access.name() == name)
    }
}

/// For each access a set of capabilities: bit *n* stands for the capability with index *n* in the catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Masks(pub [u64; Access::COUNT]);

impl Masks {
    /// No capability for any access.
    pub const NONE: Masks = Masks([0; Access::COUNT]);
    /// Every capability for every access.
    pub const ALL: Masks = Masks([u64::MAX; Access::COUNT]);

    /// The set for one access.
    pub fn get(&self, access: Access) -> u64 {
        self.0[access as usize]
    }

    /// Adds capabilities to the set of one access.
    pub fn insert(&mut self, access: Access, capabilities: u64) {
        self.0[access as usize] |= capabilities;
    }

    /// Takes capabilities out of the set of one access.
    pub fn remove(&mut self, access: Access, capabilities: u64) {
        self.0[access as usize] &= !capabilities;
    }

    /// Both sets together.
    pub fn union(mut self, other: Masks) -> Masks {
        for access in Access::ALL {
            self.insert(access, other.get(access));
        }
        self
    }

    /// Whether no access has a capability.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|mask| *mask == 0)
    }
}
