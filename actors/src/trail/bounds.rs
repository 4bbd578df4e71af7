//! Bounds on the trail's size and age. What is deleted leaves a record in the chain that says up to where, so that the
//! rest still verifies and nobody else can delete anything unseen.

use std::fs;
use std::io;
use std::time::Duration;

use super::Trail;
use super::checkpoint::{Checkpoint, Told};
use super::line::{Anchor, Digest, Line};
use super::segment::{Name, Segment, list};
use crate::clock;
use crate::record::Kind;
use crate::tally::Key;

/// How large and how old a trail may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes after which a segment is closed and compressed.
    pub segment: u64,
    /// Bytes that all segments may take on the disk.
    pub total: u64,
    /// How long records are kept.
    pub keep: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { segment: 32 << 20, total: 1 << 30, keep: Duration::from_secs(365 * 24 * 3600) }
    }
}

impl Trail {
    /// To be called from time to time: notices that the segment was taken away, and deletes what the bounds exclude. Of
    /// what is too old one file goes at a time, so that a clock that is set to the far future does not empty the trail.
    pub fn tend(&mut self) -> io::Result<()> {
        if let Some(lost) = self.writing.take_if(|writing| !writing.is_there()) {
            let file = lost.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.owe(Kind::Tamper, format!("The file {file} of the audit trail was removed or replaced"), None);
        }
        self.pay()?;
        self.take_aside()?;
        let segments = list(&self.directory)?;
        // Compressing makes room by itself.
        if !self.packer.idle() {
            return Ok(());
        }
        let gone = self.excluded(&segments);
        if gone == 0 { Ok(()) } else { self.delete(&segments, gone) }
    }

    /// How many of the oldest files have to go; never the newest.
    fn excluded(&self, segments: &[Segment]) -> usize {
        let mut total: u64 = segments.iter().map(Segment::size).sum();
        let mut gone = 0;
        let closed = segments.len().saturating_sub(1);
        for segment in segments.iter().take(closed) {
            if total <= self.bounds.total {
                break;
            }
            total = total.saturating_sub(segment.size());
            gone += 1;
        }
        let keep = i64::try_from(self.bounds.keep.as_millis()).unwrap_or(i64::MAX);
        let oldest = clock::day(clock::now_ms().saturating_sub(keep));
        // All records of a file are at most as new as the day on which the next one was begun.
        let is_old = segments.get(1).is_some_and(|next| {
            let (Name::Chained(_, day) | Name::Unchained(day)) = &next.name;
            *day < oldest
        });
        if gone == 0 && closed > 0 && is_old { 1 } else { gone }
    }

    /// The anchor is safe before anything is deleted: a crash in between leaves too much, never too little.
    fn delete(&mut self, segments: &[Segment], gone: usize) -> io::Result<()> {
        let (old, rest) = segments.split_at(gone.min(segments.len()));
        let Some(next) = rest.first() else { return Ok(()) };
        let (up_to, digest) = begins_after(next)?;
        let files = old.iter().filter(|one| one.first().is_none()).map(|one| one.name.file()).collect();
        self.checkpoint()?;
        let what =
            if up_to == 0 { "Records from before the chain".to_owned() } else { format!("Records up to {up_to}") };
        let Bounds { total, keep, .. } = self.bounds;
        let (total, days) = (total >> 20, keep.as_secs() / 86_400);
        let message =
            format!("{what} were deleted ({gone} files): the trail is bounded to {total} MiB and {days} days");
        self.owe(Kind::Lifecycle, message, Some(Anchor::Deleted { up_to, digest, files }));
        if let Err(error) = self.pay() {
            self.owed.clear();
            return Err(error);
        }
        self.end()?;
        old.iter().try_for_each(|segment| fs::remove_file(&segment.path))
    }

    pub(super) fn checkpoint(&self) -> io::Result<()> {
        let told = |(key, id, told): (Key, u64, u64)| Told { key: key.to_string(), id, first: self.first(id), told };
        let kinds = self.tally.kinds().map(told).collect();
        Checkpoint { at: self.end.id, kinds }.write(&self.directory)
    }
}

/// The record before the first of a file, and its digest; 0 where the chain begins with it or later.
fn begins_after(segment: &Segment) -> io::Result<(u64, Digest)> {
    if segment.first().is_none() {
        return Ok((0, Digest::default()));
    }
    let wrong = |what: &str| {
        let what = format!("{}: {what}, so nothing before it is deleted", segment.path.display());
        io::Error::new(io::ErrorKind::InvalidData, what)
    };
    let raw = segment.raw()?.next().ok_or_else(|| wrong("the file is empty"))??;
    let line: Line = serde_json::from_slice(&raw.text).map_err(|_| wrong("its first line is no record"))?;
    match line.previous {
        Some(previous) if previous != Digest::default() => Ok((line.record.id.saturating_sub(1), previous)),
        _ => Ok((0, Digest::default())),
    }
}
