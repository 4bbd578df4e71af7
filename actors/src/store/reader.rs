//! Answers questions about records: from the store where it is whole, else from the trail.

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::trouble::Trouble;
use super::{Shared, query, schema};
use crate::messages::FindRecords;
use crate::record::Record;
use crate::selection::Selection;
use crate::trail;

/// How long a question waits for records that are on their way into the store.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    /// The number of the file that it is to.
    file: u64,
    base: Connection,
}

/// Somebody who can be asked from any thread.
#[derive(Clone, Debug)]
pub struct Reader {
    path: PathBuf,
    trail: PathBuf,
    pub(super) shared: Arc<Shared>,
}

impl Reader {
    pub(super) fn new(path: PathBuf, trail: PathBuf, shared: Arc<Shared>) -> Reader {
        Reader { path, trail, shared }
    }

    /// Records that are wanted, among all up to the record `end`.
    pub fn find(&self, find: &FindRecords, end: u64) -> io::Result<Vec<Record>> {
        if let Some(file) = self.shared.reaches(end, PATIENCE) {
            match self.ask_store(find, file) {
                Ok((floor, found)) => return self.with_older(find, floor, found),
                Err(error) => tracing::error!("{}: the trail is asked instead: {error}", self.path.display()),
            }
        }
        from_trail(&self.trail, find, u64::MAX)
    }

    /// What the store has of it, and its floor, if its file is still the one that was whole.
    pub(super) fn ask_store(&self, find: &FindRecords, file: u64) -> Result<(u64, Vec<Record>), Trouble> {
        self.judged(file, || {
            let base = schema::open_to_read(&self.path)?;
            // Asked before: what goes meanwhile is then looked for in the trail.
            let found = query::run(&base, find)?;
            Ok((schema::floor(&base)?, found))
        })
    }

    /// The record with this id, as [`Reader::ask_store`] has it. The connection is kept for the next one.
    pub(super) fn recall(&self, id: u64, file: u64, kept: &mut Option<Kept>) -> Result<Option<Record>, Trouble> {
        let one = FindRecords { wanted: Selection::default(), after: id.saturating_sub(1), limit: 1, newest: false };
        let Kept { base, .. } = match kept.take() {
            Some(kept) if kept.file == file => kept,
            _ => Kept { file, base: self.judged(file, || Ok(schema::open_to_read(&self.path)?))? },
        };
        let mut found = self.judged(file, || query::run(&base, &one))?;
        *kept = Some(Kept { file, base });
        Ok(found.pop().filter(|record| record.id == id))
    }

    /// An answer of this file. Damage is told to the thread that writes it; and what answered may have been another file, which
    /// was just begun, or this one after it was found damaged.
    fn judged<T>(&self, file: u64, ask: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
        let answer = ask().inspect_err(|trouble| {
            if trouble.is_final() {
                self.shared.report(file);
            }
        })?;
        if self.shared.is_still(file) { Ok(answer) } else { Err(Trouble::Replaced) }
    }

    /// What the store has forgotten is in the trail, unless that has deleted it, too.
    fn with_older(&self, find: &FindRecords, floor: u64, mut found: Vec<Record>) -> io::Result<Vec<Record>> {
        let enough = find.newest && found.len() >= find.limit;
        if find.after >= floor || enough {
            return Ok(found);
        }
        found.retain(|record| record.id > floor);
        let limit = if find.newest { find.limit - found.len() } else { find.limit };
        let mut all = from_trail(&self.trail, &FindRecords { limit, ..find.clone() }, floor)?;
        all.append(&mut found);
        all.truncate(find.limit);
        Ok(all)
    }
}

fn from_trail(trail: &Path, find: &FindRecords, up_to: u64) -> io::Result<Vec<Record>> {
    let mut found = VecDeque::new();
    if find.limit == 0 {
        return Ok(Vec::new());
    }
    trail::walk(trail, find.after, &mut |record| {
        if record.id > up_to {
            return ControlFlow::Break(());
        }
        if find.wanted.has(&record) {
            found.push_back(record);
            if found.len() > find.limit {
                found.pop_front();
            }
            if !find.newest && found.len() == find.limit {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(found.into())
}
