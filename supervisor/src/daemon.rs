//! The arguments of `bartizand`, of which its man page is made.

use std::path::PathBuf;

use clap::Parser;

use crate::paths;

/// Bartizan's daemon: learns what services do and keeps the kernel's policy up to date. Ending it does not end
/// enforcement.
#[derive(Parser)]
#[command(name = "bartizand", version)]
pub struct Arguments {
    /// Put the active revision in force and end (used before network services start)
    #[arg(long)]
    pub early: bool,
    /// The configuration
    #[arg(long, default_value = paths::CONFIGURATION)]
    pub config: PathBuf,
}
