//! Opening a file for writing, refused or not.
//!
//! A refused open is never closed. So that both can be compared, a file that was opened stays open until the clock stands.

use std::ffi::CString;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::act::Act;
use crate::files::{refused, text};
use crate::measure::ROUNDS;

/// Opens for writing: always the same file, or each file once.
pub struct Opening {
    paths: Vec<CString>,
    next: usize,
    each_once: bool,
    refusing: bool,
    open: Vec<OwnedFd>,
}

impl Opening {
    /// The files are those of the folder, which must hold enough of them.
    pub fn new(folder: &Path, each_once: bool, refusing: bool) -> Result<Self> {
        let paths = files_of(folder)?;
        // The first file is the one that is refused again and again.
        let next = usize::from(each_once);
        Ok(Opening { paths, next, each_once, refusing, open: Vec::with_capacity(64) })
    }
}

/// The files of a folder in the order of their names; at least one.
pub fn files_of(folder: &Path) -> Result<Vec<CString>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        paths.push(text(&entry?.path())?);
    }
    paths.sort();
    ensure!(!paths.is_empty(), "{} holds no files", folder.display());
    Ok(paths)
}

impl Act for Opening {
    /// Reading needs nothing and tells the kernel what the file is, so that only the refusal is new.
    fn prepare(&mut self) -> Result<()> {
        let count = if self.each_once { ROUNDS * 4 } else { 1 };
        for path in self.paths.iter().skip(self.next).take(count) {
            open(path.as_c_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
                .map_err(|errno| refused(path, errno))?;
        }
        Ok(())
    }

    fn once(&mut self) -> Result<()> {
        let path = self.paths.get(self.next).context("there are no files left that were not refused before")?;
        self.next += usize::from(self.each_once);
        match open(path.as_c_str(), OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()) {
            Ok(file) if !self.refusing => self.open.push(file),
            Err(Errno::EPERM) if self.refusing => {}
            Ok(_) => bail!("{}: opening for writing was not refused", path.to_string_lossy()),
            Err(errno) => return Err(refused(path, errno)),
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.open.clear();
    }
}
