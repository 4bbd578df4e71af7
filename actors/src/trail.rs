//! The audit trail on disk: JSON lines in segments that are only ever appended to, each line with the digest of the line
//! before ([`line`]), closed segments compressed ([`segment`]), the end signed from time to time ([`heads`]).
//!
//! Each line is a [`Record`] and, beside it, the kernel's key of the kind of act: with it a restart knows what has been
//! told already, from the same bytes that were told.

pub mod aside;
mod bounds;
mod checkpoint;
pub mod heads;
pub mod line;
mod lock;
mod opening;
mod packer;
pub mod segment;
pub mod verify;
mod writing;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock;
use crate::record::{Kind, Record};
use crate::tally::Tally;
pub use bounds::Bounds;
use line::{Anchor, Digest, Line};
use lock::Lock;
use packer::Packer;
use writing::Writing;

/// The end of the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// The newest record; 0: there is none.
    pub id: u64,
    /// Digest of its line.
    pub digest: Digest,
}

/// Something that the trail says about itself.
type Own = (Kind, String, Option<Anchor>);

/// The open trail.
#[derive(Debug)]
pub struct Trail {
    directory: PathBuf,
    bounds: Bounds,
    /// The segment that is written to, from the first record after the start or the last rotation on.
    writing: Option<Writing>,
    next: u64,
    end: End,
    firsts: BTreeMap<u64, Record>,
    packer: Packer,
    /// What the trail has to say about itself and could not write yet.
    owed: VecDeque<Own>,
    news: Vec<Record>,
    /// What has been told of each kind of act.
    pub tally: Tally,
    _lock: Lock,
}

/// Two records of one kind that are less apart are one act; the clock that the kernel's time is compared with may have
/// been set in between.
const SAME: Duration = Duration::from_secs(60);
/// First records that are kept in memory to be repeated; older kinds are told without their details.
const FIRSTS: usize = 20_000;

impl Trail {
    /// The same trail within these bounds.
    pub fn bounded(self, bounds: Bounds) -> Trail {
        Trail { bounds, ..self }
    }

    fn remember(&mut self, key: String, record: &Record, already: u64) {
        self.tally.first(key, record.id, already);
        self.firsts.insert(record.id, record.clone());
        while self.firsts.len() > FIRSTS {
            self.firsts.pop_first();
        }
    }

    /// Appends a record, giving it its id. With a key it is the first of its kind; `already` is what of the kernel's
    /// count it stands for (nothing for an act, everything for a flood).
    pub fn append(&mut self, mut record: Record, key: Option<String>, already: u64) -> io::Result<Record> {
        self.pay()?;
        record.id = self.next;
        self.write(&record, key.clone(), None)?;
        if let Some(key) = key {
            self.remember(key, &record, already);
        }
        Ok(record)
    }

    /// Whether this very act is in the trail: after a crash the kernel's ring may hold what was written just before. The
    /// kernel tells a kind of act anew only when it was quiet for minutes.
    pub fn holds(&self, record: &Record, key: &str) -> bool {
        let first = self.tally.first_of(key).and_then(|id| self.firsts.get(&id));
        first.is_some_and(|first| first.pid == record.pid && clock::apart(&first.time, &record.time) < SAME)
    }

    /// Appends what is new of a kernel's total, if anything is.
    pub fn append_due(&mut self, key: &str, total: u64) -> io::Result<Option<Record>> {
        let Some((first, due)) = self.tally.due(key, total) else { return Ok(None) };
        let Some(first) = self.firsts.get(&first) else { return Ok(None) };
        let mut record = Record::repeat(first, due);
        self.pay()?;
        record.id = self.next;
        self.write(&record, Some(key.to_owned()), None)?;
        self.tally.repeated(key, due);
        Ok(Some(record))
    }

    /// The trail is known to have reached this record, as `who` says: when it ends before, that is told, and no id is given
    /// twice, so that what is missing stays missing.
    pub fn has_reached(&mut self, id: u64, who: &str) {
        let last = self.last();
        if id > last {
            self.next = id + 1;
            let message =
                format!("The audit trail ends with record {last}, but {who} record {id}: records are missing");
            self.owe(Kind::Tamper, message, None);
        }
    }

    /// Notes what the trail has to say about itself: it comes before any other record.
    fn owe(&mut self, kind: Kind, message: String, anchor: Option<Anchor>) {
        self.owed.push_back((kind, message, anchor));
    }

    /// Appends what is owed.
    fn pay(&mut self) -> io::Result<()> {
        while let Some((kind, message, anchor)) = self.owed.front().cloned() {
            let record = Record { id: self.next, ..Record::plain(kind, message) };
            self.write(&record, None, anchor)?;
            self.owed.pop_front();
            self.news.push(record);
        }
        Ok(())
    }

    /// How many records about itself it could not write yet.
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    /// Records that the trail made by itself since it was asked last: they are on disk, and nobody else has them yet.
    pub fn take_news(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.news)
    }

    /// What [`Trail::take_news`] will give.
    pub fn news(&self) -> &[Record] {
        &self.news
    }

    /// The newest record; 0: there is none.
    pub fn last(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// The end of the chain, safe on the disk when this returns.
    pub fn end(&self) -> io::Result<End> {
        self.writing.as_ref().map_or(Ok(()), Writing::sync)?;
        Ok(self.end)
    }

    fn write(&mut self, record: &Record, key: Option<String>, anchor: Option<Anchor>) -> io::Result<()> {
        let line = Line { record: record.clone(), key, anchor, previous: Some(self.end.digest) };
        let mut text = serde_json::to_vec(&line)?;
        let digest = Digest::of(&text);
        text.push(b'\n');
        let day = clock::day(clock::now_ms());
        let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if let Some(full) = self.writing.take_if(|writing| writing.is_over(size, self.bounds.segment, &day)) {
            // At worst a power cut takes the end of the newest segment.
            full.sync()?;
            self.packer.pack(full.path().to_owned());
        }
        let writing = match &mut self.writing {
            Some(writing) => writing,
            none => none.insert(Writing::begin(&self.directory, record.id, &day)?),
        };
        writing.append(&text)?;
        self.end = End { id: record.id, digest };
        self.next = record.id + 1;
        Ok(())
    }
}

/// Shows every record with an id above `after`, oldest first, until `visit` has seen enough.
pub fn walk(directory: &Path, after: u64, visit: &mut dyn FnMut(Record) -> ControlFlow<()>) -> io::Result<()> {
    let segments = segment::list(directory)?;
    for (index, segment) in segments.iter().enumerate() {
        // All of it is older.
        if segments.get(index + 1).and_then(segment::Segment::first).is_some_and(|next| next <= after + 1) {
            continue;
        }
        for line in segment.lines()? {
            match line {
                Ok(line) if line.record.id <= after => {}
                Ok(line) => {
                    if visit(line.record).is_break() {
                        return Ok(());
                    }
                }
                Err(error) => {
                    tracing::error!("{}: cannot be read to its end: {error}", segment.path.display());
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Returns when what was appended before is safe from a power cut.
pub fn sync(directory: &Path) -> io::Result<()> {
    let newest = segment::list(directory)?.pop().filter(|segment| !segment.packed);
    newest.map_or(Ok(()), |segment| File::open(&segment.path)?.sync_data())
}

#[cfg(test)]
#[path = "trail/tests.rs"]
mod tests;
