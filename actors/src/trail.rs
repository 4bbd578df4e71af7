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

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::record::{Kind, Record};
use crate::tally::{Key, Tally};
use crate::written::{Text, Written};
pub use bounds::Bounds;
use line::{Anchor, Digest};
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

/// A record for the trail.
#[derive(Clone, Debug)]
pub struct New {
    /// What it says; its id is given when it is written.
    pub record: Record,
    /// The kind of act of which it is the first.
    pub key: Option<Key>,
    /// What of the kernel's count it stands for: nothing for an act, everything for a flood.
    pub already: u64,
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
    /// First records by their ids, in the order of these, as text: few are ever repeated.
    firsts: VecDeque<(u64, Box<str>)>,
    /// The records that were written last, if they are not among those, and the id of the first of them: after a crash the kernel's
    /// ring holds their acts still.
    newest: (u64, Vec<Text>),
    packer: Packer,
    /// What the trail has to say about itself and could not write yet.
    owed: VecDeque<Own>,
    news: Vec<Written>,
    /// The day that it is, in milliseconds since 1970 and as text.
    day: (i64, String),
    /// Bytes of the longest line so far, as lines of a batch get their memory at once.
    line: usize,
    /// What has been told of each kind of act.
    pub tally: Tally,
    _lock: Lock,
}

/// Finds a record by its id; `None`: it is not kept any more.
pub type Recall<'a> = &'a dyn Fn(u64) -> io::Result<Option<Record>>;

/// More acts of a kind whose first record is gone.
fn forgotten(first: u64, count: u64) -> Record {
    let message = format!("More acts of the kind that record {first} told first, which is not kept any more");
    Record { count, repeats: Some(first), ..Record::plain(Kind::Flood, message) }
}

/// Two records of one kind that are less apart are one act; the clock that the kernel's time is compared with may have
/// been set in between.
const SAME: Duration = Duration::from_secs(60);
/// First records that are kept in memory to be repeated; older ones are asked for when they are.
const FIRSTS: usize = 2_000;
/// Of acts that come by more than so many at once none is kept: they are a flood, whose kinds are seldom repeated, and the store has
/// them soon.
const FEW: usize = 64;
/// Bytes of a line for which there is memory from the start, at most.
const LINE: usize = 2 << 10;

impl Trail {
    /// The same trail within these bounds.
    pub fn bounded(self, bounds: Bounds) -> Trail {
        Trail { bounds, ..self }
    }

    fn remember(&mut self, id: u64, json: Box<str>) {
        // Only those of a checkpoint are in another order.
        match self.firsts.back() {
            Some((last, _)) if *last >= id => match self.firsts.binary_search_by_key(&id, |(id, _)| *id) {
                Ok(_) => {}
                Err(at) => self.firsts.insert(at, (id, json)),
            },
            _ => self.firsts.push_back((id, json)),
        }
        if self.firsts.len() > FIRSTS {
            self.firsts.pop_front();
        }
    }

    /// Appends a record, giving it its id. With a key it is the first of its kind, see [`New`].
    pub fn append(&mut self, record: Record, key: Option<Key>, already: u64) -> io::Result<Written> {
        let mut written = self.append_all(&mut vec![New { record, key, already }])?;
        written.pop().ok_or_else(|| io::ErrorKind::WriteZero.into())
    }

    /// Appends records, all or none of them: with an error they are left where they were.
    pub fn append_all(&mut self, new: &mut Vec<New>) -> io::Result<Vec<Written>> {
        self.pay()?;
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let first = self.next;
        for (one, id) in new.iter_mut().zip(first..) {
            one.record.id = id;
        }
        let texts = self.write(new.iter().map(|one| (&one.record, one.key.as_ref(), None)))?;
        let few = new.len() <= FEW;
        self.newest = (first, if few { Vec::new() } else { texts.clone() });
        let mut written = Vec::with_capacity(texts.len());
        for (one, json) in new.drain(..).zip(texts) {
            if let Some(key) = one.key {
                if few {
                    self.remember(one.record.id, json.to_string().into());
                }
                self.tally.first(key, one.record.id, one.already);
            }
            written.push(Written::new(one.record, json));
        }
        Ok(written)
    }

    /// The record that told a kind first, if it is known still.
    fn first(&self, id: u64) -> Option<Record> {
        let known = self.firsts.binary_search_by_key(&id, |(id, _)| *id).ok().and_then(|at| self.firsts.get(at));
        let text = known.map(|(_, text)| Cow::from(&**text)).or_else(|| {
            let (first, texts) = &self.newest;
            Some(texts.get(usize::try_from(id.checked_sub(*first)?).ok()?)?.to_string().into())
        })?;
        serde_json::from_str(&text).inspect_err(|error| tracing::error!("record {id} cannot be read: {error}")).ok()
    }

    /// Whether this very act is in the trail: after a crash the kernel's ring may hold what was written just before. The
    /// kernel tells a kind of act anew only when it was quiet for minutes.
    pub fn holds(&self, record: &Record, key: &Key) -> bool {
        let first = self.tally.first_of(key).and_then(|id| self.first(id));
        first.is_some_and(|first| first.pid == record.pid && clock::apart(&first.time, &record.time) < SAME)
    }

    /// Appends what is new of a kernel's total, if anything is. `recall` is asked for a first record that is not in memory;
    /// one that nobody has any more is counted without its details.
    pub fn append_due(&mut self, key: &Key, total: u64, recall: Recall<'_>) -> io::Result<Option<Written>> {
        let Some((id, due)) = self.tally.due(key, total) else { return Ok(None) };
        let first = match self.first(id) {
            None => recall(id)?.inspect(|first| self.take_first(first)),
            known => known,
        };
        self.pay()?;
        let repeat = first.map_or_else(|| forgotten(id, due), |first| Record::repeat(&first, due));
        let record = Record { id: self.next, ..repeat };
        let mut texts = self.write([(&record, Some(key), None)])?;
        self.tally.repeated(key, due);
        Ok(texts.pop().map(|json| Written::new(record, json)))
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
            let texts = self.write([(&record, None, anchor.as_ref())])?;
            self.owed.pop_front();
            self.news.extend(texts.into_iter().map(|json| Written::new(record.clone(), json)));
        }
        Ok(())
    }

    /// How many records about itself it could not write yet.
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    /// Records that the trail made by itself since it was asked last: they are on disk, and nobody else has them yet.
    pub fn take_news(&mut self) -> Vec<Written> {
        std::mem::take(&mut self.news)
    }

    /// What [`Trail::take_news`] will give.
    pub fn news(&self) -> &[Written] {
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

    /// Writes lines for records whose ids are the next ones, with one call: after a crash a prefix of them is there. The
    /// records as JSON.
    fn write<'a>(
        &mut self,
        records: impl IntoIterator<Item = (&'a Record, Option<&'a Key>, Option<&'a Anchor>)>,
    ) -> io::Result<Vec<Text>> {
        let records = records.into_iter();
        let many = records.size_hint().0;
        let (mut lines, mut places) = (Vec::with_capacity(many * self.line), Vec::with_capacity(many));
        let (mut end, first) = (self.end, self.next);
        for (record, key, anchor) in records {
            let from = lines.len();
            serde_json::to_writer(&mut lines, record)?;
            places.push((from, lines.len().saturating_sub(1)));
            line::go_on(&mut lines, key, anchor, &end.digest)?;
            end = End { id: record.id, digest: Digest::of(lines.get(from..).unwrap_or_default()) };
            lines.push(b'\n');
            self.line = self.line.max(lines.len() - from).min(LINE);
        }
        let lines = Arc::new(String::from_utf8(lines).map_err(io::Error::other)?);
        let size = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let day = clock::day_of(&mut self.day, clock::now_ms());
        if let Some(full) = self.writing.take_if(|writing| writing.is_over(size, self.bounds.segment, day)) {
            // At worst a power cut takes the end of the newest segment.
            full.sync()?;
            self.packer.pack(full.path().to_owned());
        }
        let writing = match &mut self.writing {
            Some(writing) => writing,
            none => none.insert(Writing::begin(&self.directory, first, day)?),
        };
        writing.append(lines.as_bytes())?;
        (self.end, self.next) = (end, end.id + 1);
        Ok(places.into_iter().map(|(from, to)| Text::new(lines.clone(), from, to)).collect())
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
        for line in segment.lines_after(after)? {
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
