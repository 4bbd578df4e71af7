//! Acts on names: what makes, removes or changes one. They have a directory of their own, which holds nothing else: the
//! file system searches it from its beginning.

use std::ffi::CString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nix::fcntl::{AT_FDCWD, OFlag, open, renameat};
use nix::sys::stat::Mode;
use nix::unistd::unlink;

use crate::act::Act;
use crate::files::{fresh, made, refused, text};

const FOLDER: &str = "names";

/// A file that comes and goes.
pub struct CreateUnlink {
    path: CString,
}

impl CreateUnlink {
    /// One name for all of them.
    pub fn new() -> Result<Self> {
        fs::create_dir_all(FOLDER).context("making the folder of names")?;
        Ok(CreateUnlink { path: text(&Path::new(FOLDER).join(fresh("made")))? })
    }
}

impl Act for CreateUnlink {
    fn once(&mut self) -> Result<()> {
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(0o600);
        open(self.path.as_c_str(), flags, mode).map(drop).map_err(|errno| refused(&self.path, errno))?;
        unlink(self.path.as_c_str()).map_err(|errno| refused(&self.path, errno))
    }
}

/// A file that goes to and fro between two names.
pub struct Rename {
    from: CString,
    to: CString,
}

impl Rename {
    /// Both names are new.
    pub fn new() -> Result<Self> {
        let [from, to] = ["here", "there"].map(|stem| Path::new(FOLDER).join(fresh(stem)));
        Ok(Rename { from: text(made(&from)?)?, to: text(&to)? })
    }
}

impl Act for Rename {
    fn once(&mut self) -> Result<()> {
        renameat(AT_FDCWD, self.from.as_c_str(), AT_FDCWD, self.to.as_c_str()).context("renaming")?;
        std::mem::swap(&mut self.from, &mut self.to);
        Ok(())
    }
}

impl Drop for Rename {
    fn drop(&mut self) {
        // The next one finds the folder empty; when it does not, its baselines tell.
        let _ = unlink(self.from.as_c_str());
    }
}
