//! The acts that `scripts/bench kernel` measures: each is a few system calls on prepared objects.

use std::path::Path;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat, stat};
use nix::unistd::chown;

use crate::files::{Files, OnPath, Read};
use crate::names::{CreateUnlink, Rename};
use crate::program::SpawnExec;
use crate::refusal::Opening;
use crate::sockets::{UdpConnect, UnixConnect};

/// An act that can be done again and again.
pub trait Act {
    /// What must be done before each set of rounds and is not measured.
    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    /// Does it once; fails when the kernel answers otherwise than expected.
    fn once(&mut self) -> Result<()>;

    /// What must be done after each round and is not measured.
    fn clear(&mut self) {}
}

/// The acts by their names in the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// Opens a file for reading and closes it, at depth 5.
    #[value(name = "open+close")]
    OpenClose,
    /// The same at depth 2.
    #[value(name = "open+close depth 2")]
    OpenShallow,
    /// The same at depth 10.
    #[value(name = "open+close depth 10")]
    OpenDeep,
    /// Creates a file, closes it and removes its name.
    #[value(name = "create+unlink")]
    CreateUnlink,
    /// Gives a file another name in its directory.
    #[value(name = "rename")]
    Rename,
    /// Sets a file's mode.
    #[value(name = "chmod")]
    Chmod,
    /// Sets a file's owner.
    #[value(name = "chown")]
    Chown,
    /// Changes an extended attribute.
    #[value(name = "setxattr")]
    SetXattr,
    /// Makes a unix stream socket, connects it to a listening one, takes the connection and closes both ends.
    #[value(name = "unix connect")]
    UnixConnect,
    /// Connects a UDP socket to an address of the loopback.
    #[value(name = "udp connect")]
    UdpConnect,
    /// Starts a dynamically linked program and waits for its end.
    #[value(name = "spawn+exec")]
    SpawnExec,
    /// Starts a statically linked program and waits for its end.
    #[value(name = "spawn+exec static")]
    SpawnExecStatic,
    /// Asks for a file's attributes by its path.
    #[value(name = "stat")]
    Stat,
    /// Reads 64 bytes of an open file.
    #[value(name = "read")]
    Read,
}

/// What an act finds when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// One object, of which everything is cached.
    Warm,
    /// Another file for every act, of which nothing is known yet.
    Cold,
    /// Opening one file for writing and not closing it: what a refusal is compared with.
    Refusal,
    /// The same with another file for every act.
    FirstRefusal,
}

impl Way {
    /// How often a round repeats the act: short enough that few rounds see a timer tick, long enough to hide the clock.
    pub fn per_round(self, operation: Operation) -> u32 {
        match (self, operation) {
            (_, Operation::SpawnExec | Operation::SpawnExecStatic) => 1,
            // The kernel delivers 4,096 first refusals of a service in a minute.
            (Way::FirstRefusal, _) => 4,
            (Way::Cold, _) => 16,
            _ => 50,
        }
    }
}

/// The objects that the acts go to. Files are made in the working directory.
pub struct Objects<'a> {
    /// The file at depth 2.
    pub shallow: &'a Path,
    /// The name of the listening socket.
    pub socket: &'a Path,
    /// The program of `spawn+exec`.
    pub program: &'a Path,
    /// The program of `spawn+exec static`.
    pub fixed: &'a Path,
    /// The folder of those files that a refusal is measured with.
    pub refused: &'a Path,
    /// Whether opening those for writing must be refused; else it must succeed.
    pub refusing: bool,
}

impl Operation {
    /// The fraction within which two sets of rounds must agree.
    pub fn tolerance(self) -> f64 {
        if matches!(self, Operation::SpawnExec | Operation::SpawnExecStatic) { 0.02 } else { 0.005 }
    }

    /// Whether it can be done that way. Cold: stat meets no hook, the others do not go by a path or change its name.
    pub fn can_be(self, way: Way) -> bool {
        match way {
            Way::Warm => true,
            Way::Cold => matches!(self, Operation::OpenClose | Operation::Chmod),
            Way::Refusal | Way::FirstRefusal => self == Operation::OpenClose,
        }
    }

    /// The act, ready to be done.
    pub fn act(self, objects: &Objects<'_>, way: Way) -> Result<Box<dyn Act>> {
        ensure!(self.can_be(way), "it cannot be done in this way");
        if matches!(way, Way::Refusal | Way::FirstRefusal) {
            return Ok(Box::new(Opening::new(objects.refused, way == Way::FirstRefusal, objects.refusing)?));
        }
        let per_round = way.per_round(self);
        let fresh = || if way == Way::Cold { Files::cold(per_round) } else { Files::warm() };
        let opened = |files| -> Result<Box<dyn Act>> {
            let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
            Ok(Box::new(OnPath::new(files, move |path, _| open(path, flags, Mode::empty()).map(drop))))
        };
        Ok(match self {
            Operation::OpenClose => opened(fresh()?)?,
            Operation::OpenShallow => opened(Files::shallow(objects.shallow)?)?,
            Operation::OpenDeep => opened(Files::deep()?)?,
            Operation::Chmod => Box::new(OnPath::new(fresh()?, |path, _| {
                fchmodat(AT_FDCWD, path, Mode::from_bits_truncate(0o640), FchmodatFlags::FollowSymlink)
            })),
            Operation::Chown => Box::new(OnPath::new(fresh()?, |path, _| chown(path, Some(0.into()), Some(0.into())))),
            Operation::SetXattr => Box::new(OnPath::new(fresh()?, crate::files::set_attribute)),
            Operation::Stat => Box::new(OnPath::new(fresh()?, |path, _| stat(path).map(drop))),
            Operation::Read => Box::new(Read::new()?),
            Operation::CreateUnlink => Box::new(CreateUnlink::new()?),
            Operation::Rename => Box::new(Rename::new()?),
            Operation::UnixConnect => Box::new(UnixConnect::new(objects.socket)?),
            Operation::UdpConnect => Box::new(UdpConnect::new()?),
            Operation::SpawnExec => Box::new(SpawnExec::new(objects.program)),
            Operation::SpawnExecStatic => Box::new(SpawnExec::new(objects.fixed)),
        })
    }
}
