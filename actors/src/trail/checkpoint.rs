//! What has been told of each kind of act, at one record: kept when old records are deleted, so that sums stay exact.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::record::Record;

/// A kind of act.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    /// The kernel's key of it.
    pub key: String,
    /// The id of the record that told it first; 0 where an earlier version wrote only the record.
    #[serde(default)]
    pub id: u64,
    /// That record, if it is in memory still.
    pub first: Option<Record>,
    /// How much of the kernel's count has been told.
    pub told: u64,
}

/// All kinds, at a record.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// The newest record then.
    pub at: u64,
    /// The kinds.
    pub kinds: Vec<Told>,
}

impl Checkpoint {
    fn path(trail: &Path) -> PathBuf {
        trail.join("told.json")
    }

    /// The one beside a trail. A broken one is told, and is as none.
    pub(super) fn read(trail: &Path) -> Option<Checkpoint> {
        let path = Checkpoint::path(trail);
        let text = std::fs::read(&path).ok()?;
        serde_json::from_slice(&text)
            .inspect_err(|error| {
                tracing::error!("{}: repeats of what was told in deleted records are lost: {error}", path.display());
            })
            .ok()
    }

    /// Puts it beside a trail.
    pub(super) fn write(&self, trail: &Path) -> io::Result<()> {
        atomic::write(&Checkpoint::path(trail), &serde_json::to_vec(self)?)
    }
}
