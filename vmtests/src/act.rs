//! The acts that `scripts/bench kernel` measures: each is one or two system calls on prepared objects.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat, stat};
use nix::unistd::sync;

use crate::measure::ROUNDS;

/// Bytes that one `read` asks for: few, so that copying does not hide what is measured.
const READ_BYTES: usize = 64;

/// An act that can be done again and again.
pub trait Act {
    /// What must be done before each set of rounds and is not measured.
    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    /// Does it once; fails when the kernel refuses.
    fn once(&mut self) -> Result<()>;
}

/// The acts by their names in the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// Opens a file for reading and closes it.
    #[value(name = "open+close")]
    OpenClose,
    /// Sets a file's mode.
    #[value(name = "chmod")]
    Chmod,
    /// Connects a UDP socket to an address of the loopback.
    #[value(name = "udp connect")]
    UdpConnect,
    /// Starts a program and waits for its end.
    #[value(name = "spawn+exec")]
    SpawnExec,
    /// Asks for a file's attributes by its path.
    #[value(name = "stat")]
    Stat,
    /// Reads 64 bytes of an open file.
    #[value(name = "read")]
    Read,
}

impl Operation {
    /// How often a round repeats the act: short enough that few rounds see a timer tick, long enough to hide the clock.
    pub fn per_round(self, cold: bool) -> u32 {
        match (self, cold) {
            (Operation::SpawnExec, _) => 1,
            (_, true) => 16,
            (_, false) => 50,
        }
    }

    /// The fraction within which two sets of rounds must agree.
    pub fn tolerance(self) -> f64 {
        if self == Operation::SpawnExec { 0.02 } else { 0.005 }
    }

    /// Whether it can be done with nothing known of its object: stat meets no hook, and the others do not go by a path.
    pub fn can_be_cold(self) -> bool {
        matches!(self, Operation::OpenClose | Operation::Chmod)
    }

    /// The act, ready to be done. Its files are made in the working directory; `program` is what is started.
    pub fn act(self, program: &Path, cold: bool) -> Result<Box<dyn Act>> {
        ensure!(!cold || self.can_be_cold(), "only open+close and chmod can be cold");
        let call: fn(&CStr) -> nix::Result<()> = match self {
            Operation::OpenClose => |path| open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).map(drop),
            Operation::Chmod => {
                |path| fchmodat(AT_FDCWD, path, Mode::from_bits_truncate(0o640), FchmodatFlags::FollowSymlink)
            }
            Operation::Stat => |path| stat(path).map(drop),
            Operation::Read => return Ok(Box::new(Read { file: File::open(made(&Files::fresh())?)? })),
            Operation::UdpConnect => return Ok(Box::new(UdpConnect::new()?)),
            Operation::SpawnExec => return Ok(Box::new(SpawnExec { program: program.to_path_buf() })),
        };
        let files = if cold { Files::cold(self.per_round(true))? } else { Files::warm()? };
        Ok(Box::new(OnPath { files, call }))
    }
}

/// The paths that an act goes through in turn.
struct Files {
    paths: Vec<CString>,
    next: usize,
    cold: bool,
}

impl Files {
    /// A name of one component that nobody has used before. Names share the buckets of the kernel's hash table, where the
    /// newest comes first: an older one may have to be searched for behind names that came up since, which costs 18
    /// instructions each on 6.12 and looks like a cost of whatever was loaded meanwhile.
    fn fresh() -> PathBuf {
        format!("warm-{}", std::process::id()).into()
    }

    fn warm() -> Result<Self> {
        Ok(Files { paths: vec![text(made(&Self::fresh())?)?], next: 0, cold: false })
    }

    /// One file per act of a set.
    fn cold(per_round: u32) -> Result<Self> {
        let count = ROUNDS * per_round as usize;
        let path = |n: usize| text(made(Path::new(&format!("five/six/seven/{n}")))?);
        Ok(Files { paths: (0..count).map(path).collect::<Result<_>>()?, next: 0, cold: true })
    }

    /// Cold files get new inodes in memory, of which nobody has cached anything. The file system's own part is warmed
    /// again: stat looks a file up without asking any of Bartizan's hooks.
    fn forget(&mut self) -> Result<()> {
        self.next = 0;
        if !self.cold {
            return Ok(());
        }
        // Only clean inodes can be dropped.
        sync();
        fs::write("/proc/sys/vm/drop_caches", "2").context("dropping the kernel's inodes")?;
        self.paths.iter().try_for_each(|path| stat(path.as_c_str()).map(drop).map_err(|errno| refused(path, errno)))
    }

    fn turn(&mut self) -> Option<&CStr> {
        let path = self.paths.get(self.next)?;
        self.next = (self.next + 1) % self.paths.len();
        Some(path)
    }
}

/// A system call on a path.
struct OnPath {
    files: Files,
    call: fn(&CStr) -> nix::Result<()>,
}

impl Act for OnPath {
    fn prepare(&mut self) -> Result<()> {
        self.files.forget()
    }

    fn once(&mut self) -> Result<()> {
        let path = self.files.turn().context("there is no file to act on")?;
        (self.call)(path).map_err(|errno| refused(path, errno))
    }
}

#[cold]
fn refused(path: &CStr, errno: Errno) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", path.to_string_lossy(), errno.desc())
}

struct Read {
    file: File,
}

impl Act for Read {
    fn once(&mut self) -> Result<()> {
        let mut bytes = [0; READ_BYTES];
        match self.file.read_at(&mut bytes, 0)? {
            READ_BYTES => Ok(()),
            short => bail!("only {short} bytes of {READ_BYTES} were read"),
        }
    }
}

struct UdpConnect {
    socket: UdpSocket,
    to: SocketAddr,
}

impl UdpConnect {
    fn new() -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("making a UDP socket")?;
        Ok(UdpConnect { socket, to: (Ipv4Addr::LOCALHOST, 9).into() })
    }
}

impl Act for UdpConnect {
    fn once(&mut self) -> Result<()> {
        self.socket.connect(self.to).context("connecting to 127.0.0.1:9/udp")
    }
}

struct SpawnExec {
    program: PathBuf,
}

impl Act for SpawnExec {
    fn once(&mut self) -> Result<()> {
        // Without hooks of its own the standard library takes posix_spawn.
        let status =
            Command::new(&self.program).status().with_context(|| format!("starting {}", self.program.display()))?;
        ensure!(status.success(), "{} ended with {status}", self.program.display());
        Ok(())
    }
}

/// Makes the file and its folders when it is missing, long enough for `read`.
fn made(file: &Path) -> Result<&Path> {
    if !file.exists() {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        fs::write(file, [b'.'; READ_BYTES]).with_context(|| format!("making {}", file.display()))?;
    }
    Ok(file)
}

fn text(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).with_context(|| format!("{} holds a zero byte", path.display()))
}
