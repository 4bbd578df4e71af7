//! Opening a trail: where the chain ends, what has been told, and the mending of what a crash left.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;

use super::bounds::Bounds;
use super::checkpoint::Checkpoint;
use super::line::{Anchor, Digest, Line};
use super::lock::Lock;
use super::packer::Packer;
use super::segment::{Name, Segment, list};
use super::writing::Writing;
use super::{End, Trail, heads};
use crate::atomic;
use crate::record::{Kind, Record, escape};
use crate::tally::{Key, Tally};

/// How much of a line that was cut off is told, in characters.
const TOLD: usize = 300;

impl Trail {
    /// Opens the trail and reads back the newest two files, and before them all that may hold kinds of acts which the
    /// programs in force, whose keys begin with `load`, may repeat. A last line that was cut off is taken out and told;
    /// files from before there was a chain are taken over into it. One process at a time has a trail open; another waits for a
    /// moment, and then gets an error of the kind [`io::ErrorKind::WouldBlock`], see [`super::aside`].
    pub fn open(directory: PathBuf, load: &str) -> io::Result<Trail> {
        atomic::closed_directory(&directory)?;
        let lock = Lock::take(&directory)?;
        let segments = list(&directory)?;
        let cut = segments.last().map_or(Ok(None), mend)?;
        let mut trail = Trail {
            bounds: Bounds::default(),
            writing: None,
            next: 1,
            end: End::default(),
            firsts: Default::default(),
            packer: Packer::default(),
            owed: VecDeque::new(),
            news: Vec::new(),
            day: Default::default(),
            newest: Default::default(),
            line: 0,
            tally: Tally::default(),
            directory,
            _lock: lock,
        };
        let at = trail.restore(load);
        for segment in segments.iter().skip(oldest_wanted(&segments, load, at)?) {
            for line in segment.lines()? {
                trail.take_in(&line?, at);
            }
        }
        trail.find_end(&segments)?;
        trail.resume(&segments);
        trail.settle(&segments, cut)?;
        Ok(trail)
    }

    /// What was told up to a checkpoint; its record.
    fn restore(&mut self, load: &str) -> u64 {
        let Some(checkpoint) = Checkpoint::read(&self.directory) else { return 0 };
        for kind in checkpoint.kinds.into_iter().filter(|kind| kind.key.starts_with(load)) {
            match kind.first {
                Some(first) => {
                    self.tally.first(kind.key.into(), first.id, kind.told);
                    self.take_first(&first);
                }
                None => self.tally.first(kind.key.into(), kind.id, kind.told),
            }
        }
        self.next = checkpoint.at + 1;
        checkpoint.at
    }

    fn take_in(&mut self, line: &Line, at: u64) {
        self.next = self.next.max(line.record.id + 1);
        let Some(key) = line.key.as_deref().filter(|_| line.record.id > at).map(Key::from) else { return };
        // The first record of a flood or a loss stands for all that was counted until then.
        let already = if matches!(line.record.kind, Kind::Flood | Kind::Loss) { line.record.count } else { 0 };
        match line.record.repeats {
            None => {
                self.tally.first(key, line.record.id, already);
                self.take_first(&line.record);
            }
            Some(_) => self.tally.repeated(&key, line.record.count),
        }
    }

    /// Keeps a record that was first of its kind, to be repeated.
    pub(super) fn take_first(&mut self, record: &Record) {
        match serde_json::to_string(record) {
            Ok(json) => self.remember(record.id, json.into()),
            Err(error) => tracing::error!("record {} cannot be kept in memory: {error}", record.id),
        }
    }

    fn find_end(&mut self, segments: &[Segment]) -> io::Result<()> {
        for segment in segments.iter().rev().filter(|segment| segment.first().is_some()) {
            if let Some(last) = segment.raw()?.last().transpose()? {
                let id = self.next.saturating_sub(1);
                self.end = End { id, digest: Digest::of(&last.text) };
                break;
            }
        }
        Ok(())
    }

    /// Goes on with the newest segment; those before it that are not compressed yet will be.
    /// On a disk that is read-only a new segment is begun when it is not so any more.
    fn resume(&mut self, segments: &[Segment]) {
        let chained = segments.iter().any(|segment| segment.first().is_some());
        let mut plain: Vec<&Segment> = segments.iter().filter(|one| !one.packed && chained).collect();
        let newest = segments.last().map(|last| &last.path);
        if let Some(last) = plain.pop_if(|last| Some(&last.path) == newest) {
            let resumed = match &last.name {
                // Its first record was never written, and may get another id.
                _ if last.size() == 0 => fs::remove_file(&last.path).map(|()| None),
                Name::Chained(_, day) => Writing::resume(last, day).map(Some),
                Name::Unchained(_) => Ok(None),
            };
            self.writing = resumed.unwrap_or_else(|error| {
                tracing::error!("{}: records have to wait: {error}", last.path.display());
                None
            });
        }
        plain.into_iter().for_each(|segment| self.packer.pack(segment.path.clone()));
    }

    /// Tells what was found. On a full disk that has to wait, and the daemon starts all the same.
    fn settle(&mut self, segments: &[Segment], cut: Option<String>) -> io::Result<()> {
        self.has_reached(heads::newest(&self.directory)?.map_or(0, |head| head.id), "its signed head covers");
        let chained = segments.iter().any(|segment| segment.first().is_some());
        if !chained && !segments.is_empty() {
            let digest = |segment: &Segment| Ok((segment.name.file(), segment.digest()?));
            let files = segments.iter().map(digest).collect::<io::Result<Vec<_>>>()?;
            let message = format!("{} files of records were taken over into the chain, which begins here", files.len());
            self.owe(Kind::Lifecycle, message, Some(Anchor::TakenOver(files)));
            segments.iter().for_each(|segment| self.packer.pack(segment.path.clone()));
        }
        if let Some(message) = cut {
            self.owe(Kind::Lifecycle, message, None);
        }
        if let Err(error) = self.pay().and_then(|()| self.take_aside()) {
            tracing::error!(
                "{}: {} records about the trail have to wait: {error}",
                self.directory.display(),
                self.owed.len()
            );
        }
        Ok(())
    }
}

/// Index of the oldest file that has to be read. Keys begin with the number of the load that counts, and a later load is
/// never followed by an earlier one.
fn oldest_wanted(segments: &[Segment], load: &str, at: u64) -> io::Result<usize> {
    let mut oldest = segments.len();
    for (index, segment) in segments.iter().enumerate().rev() {
        let next = segments.get(index + 1).and_then(Segment::first);
        if next.is_some_and(|next| next <= at + 1) || segments.len() - oldest >= 2 && is_of_another(segment, load)? {
            break;
        }
        oldest = index;
    }
    Ok(oldest)
}

/// Whether a file has kinds of acts, and all are of other loads.
fn is_of_another(segment: &Segment, load: &str) -> io::Result<bool> {
    let mut others = false;
    for line in segment.lines()? {
        match line?.key {
            Some(key) if key.starts_with(load) => return Ok(false),
            key => others |= key.is_some(),
        }
    }
    Ok(others)
}

/// Makes the last line of the newest file whole or, where a crash cut it off, takes it out: nobody was told that it is
/// there. In words what was taken out. Files from before the chain are left as they are but for a line feed.
fn mend(segment: &Segment) -> io::Result<Option<String>> {
    if segment.packed {
        return Ok(None);
    }
    let text = fs::read(&segment.path)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let rest = text.get(whole..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(None);
    }
    let mut file = OpenOptions::new().append(true).open(&segment.path)?;
    if segment.first().is_none() || serde_json::from_slice::<Line>(rest).is_ok() {
        return file.write_all(b"\n").map(|()| None);
    }
    file.set_len(u64::try_from(whole).unwrap_or(0))?;
    let told: String = escape(&String::from_utf8_lossy(rest)).chars().take(TOLD).collect();
    let (label, size) = (segment.label(), rest.len());
    Ok(Some(format!(
        "The last line of {label} was cut off after {size} bytes, as by a crash, and is taken out: {told}"
    )))
}
