//! Acts on files that are there, and which files these are.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::stat::stat;
use nix::unistd::sync;

use crate::act::Act;
use crate::measure::ROUNDS;

/// Bytes that one `read` asks for: few, so that copying does not hide what is measured.
const READ_BYTES: usize = 64;

/// The paths that an act goes through in turn.
pub struct Files {
    paths: Vec<CString>,
    next: usize,
    cold: bool,
}

/// A name of one component that nobody has used before. Names share the buckets of the kernel's hash table, where the
/// newest comes first: an older one may have to be searched for behind names that came up since, which costs 18
/// instructions each on 6.12 and looks like a cost of whatever was loaded meanwhile.
pub fn fresh(stem: &str) -> PathBuf {
    format!("{stem}-{}", std::process::id()).into()
}

impl Files {
    /// One file in the working directory.
    pub fn warm() -> Result<Self> {
        Self::one(&fresh("warm"))
    }

    /// One file five levels below the working directory.
    pub fn deep() -> Result<Self> {
        Self::one(&Path::new("five/six/seven/eight/nine").join(fresh("warm")))
    }

    /// The given file, as fresh as if it had a new name: renaming puts a name before all others of its bucket.
    pub fn shallow(file: &Path) -> Result<Self> {
        let made_as = file.with_file_name(fresh("acts"));
        fs::rename(made(&made_as)?, file).with_context(|| format!("making {}", file.display()))?;
        Self::one(file)
    }

    /// One file per act of a set.
    pub fn cold(per_round: u32) -> Result<Self> {
        let count = ROUNDS * per_round as usize;
        let path = |n: usize| text(made(Path::new(&format!("five/six/seven/{n}")))?);
        Ok(Files { paths: (0..count).map(path).collect::<Result<_>>()?, next: 0, cold: true })
    }

    fn one(file: &Path) -> Result<Self> {
        Ok(Files { paths: vec![text(made(file)?)?], next: 0, cold: false })
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

/// A system call on a path. It is told whether its number is odd.
pub struct OnPath<F> {
    files: Files,
    odd: bool,
    call: F,
}

impl<F: Fn(&CStr, bool) -> nix::Result<()>> OnPath<F> {
    /// The call on each of the files in turn.
    pub fn new(files: Files, call: F) -> Self {
        OnPath { files, odd: false, call }
    }
}

impl<F: Fn(&CStr, bool) -> nix::Result<()>> Act for OnPath<F> {
    fn prepare(&mut self) -> Result<()> {
        self.files.forget()
    }

    fn once(&mut self) -> Result<()> {
        self.odd = !self.odd;
        let path = self.files.turn().context("there is no file to act on")?;
        (self.call)(path, self.odd).map_err(|errno| refused(path, errno))
    }
}

/// Sets an attribute to another value than it had: the file system does nothing when it is the same.
pub fn set_attribute(path: &CStr, odd: bool) -> nix::Result<()> {
    let value: &[u8] = if odd { b"odd" } else { b"eve" };
    rustix::fs::setxattr(path, "user.acts", value, rustix::fs::XattrFlags::empty())
        .map_err(|errno| Errno::from_raw(errno.raw_os_error()))
}

/// Reads of an open file.
pub struct Read {
    file: File,
}

impl Read {
    /// A file of its own.
    pub fn new() -> Result<Self> {
        Ok(Read { file: File::open(made(&fresh("warm"))?)? })
    }
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

/// The error of a call on a path.
#[cold]
pub fn refused(path: &CStr, errno: Errno) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", path.to_string_lossy(), errno.desc())
}

/// Makes the file and its folders when it is missing, long enough for `read`.
pub fn made(file: &Path) -> Result<&Path> {
    if !file.exists() {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        fs::write(file, [b'.'; READ_BYTES]).with_context(|| format!("making {}", file.display()))?;
    }
    Ok(file)
}

/// A path as system calls take it.
pub fn text(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).with_context(|| format!("{} holds a zero byte", path.display()))
}
