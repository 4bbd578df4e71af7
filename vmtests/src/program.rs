//! Starting a program.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::act::Act;

/// One program, from its start to its end.
pub struct SpawnExec {
    program: PathBuf,
}

impl SpawnExec {
    /// The program takes no arguments and ends with 0.
    pub fn new(program: &Path) -> Self {
        SpawnExec { program: program.to_path_buf() }
    }
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
