//! How far a sink has come, on the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic;

/// How far a sink has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The last record that it took, or that was skipped.
    pub after: u64,
    /// Records that it did not get and that were not told as lost yet.
    pub lost: u64,
}

/// Where it is kept, below the trail's directory.
pub(super) fn path(trail: &Path, name: &str) -> PathBuf {
    trail.join("sinks").join(format!("{name}.json"))
}

/// The cursor of a sink; `first` where there is none, and 0 where it is broken: better twice than never.
pub(super) fn read(path: &Path, first: u64) -> Cursor {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::warn!("{}: all that may wait is delivered once more: {error}", path.display());
            Cursor::default()
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Cursor { after: first, lost: 0 },
        Err(error) => {
            tracing::warn!("{}: all that may wait is delivered once more: {error}", path.display());
            Cursor::default()
        }
    }
}

/// Keeps it. Not synchronised: after a power cut, as after a crash, some records are delivered twice.
pub(super) fn write(path: &Path, cursor: Cursor) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        atomic::closed_directory(directory)?;
    }
    let fresh = path.with_extension("new");
    fs::write(&fresh, serde_json::to_vec(&cursor)?)?;
    fs::rename(&fresh, path)
}
