//! The audit trail on disk: JSON lines in `audit-YYYYMMDD.jsonl`, only ever appended to.
//!
//! Each line is a [`Record`] and, beside it, the kernel's key of the kind of act: with it a restart knows what has been
//! told already, from the same bytes that were told.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::record::Record;
use crate::tally::Tally;

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    record: Record,
    key: Option<String>,
}

/// The open trail.
#[derive(Debug)]
pub struct Trail {
    directory: PathBuf,
    file: Option<(PathBuf, File)>,
    /// A write failed, perhaps in the middle of a line.
    torn: bool,
    next: u64,
    firsts: BTreeMap<u64, Record>,
    /// What has been told of each kind of act.
    pub tally: Tally,
}

/// Two records of one kind that are less apart are one act; the clock that the kernel's time is compared with may have
/// been set in between.
const SAME: Duration = Duration::from_secs(60);
/// First records that are kept in memory to be repeated; older kinds are told without their details.
const FIRSTS: usize = 20_000;

impl Trail {
    /// Opens the trail and reads back the newest two files, and before them all that hold kinds of acts which the
    /// programs in force, whose keys begin with `load`, may repeat. A last line that was cut off is ended, so that the
    /// next record stands on its own.
    pub fn open(directory: PathBuf, load: &str) -> io::Result<Trail> {
        fs::create_dir_all(&directory)?;
        let mut trail =
            Trail { directory, file: None, torn: false, next: 1, firsts: BTreeMap::new(), tally: Tally::default() };
        let mut read = Vec::new();
        for path in files(&trail.directory).into_iter().rev() {
            let lines = lines(&path)?;
            let ours = lines.iter().any(|line| line.key.as_ref().is_some_and(|key| key.starts_with(load)));
            if read.len() >= 2 && !ours {
                break;
            }
            end_last_line(&path)?;
            read.push(lines);
        }
        read.into_iter().rev().flatten().for_each(|line| trail.take_in(&line));
        Ok(trail)
    }

    fn take_in(&mut self, line: &Line) {
        self.next = self.next.max(line.record.id + 1);
        let Some(key) = &line.key else { return };
        match line.record.repeats {
            None => self.remember(key.clone(), &line.record, 0),
            Some(_) => self.tally.repeated(key, line.record.count),
        }
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
        record.id = self.next;
        self.write(&record, key.clone())?;
        self.next += 1;
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
        record.id = self.next;
        self.write(&record, Some(key.to_owned()))?;
        self.next += 1;
        self.tally.repeated(key, due);
        Ok(Some(record))
    }

    fn write(&mut self, record: &Record, key: Option<String>) -> io::Result<()> {
        let day = record.time.get(..10).unwrap_or("unknown").replace('-', "");
        let path = self.directory.join(format!("audit-{day}.jsonl"));
        if self.file.as_ref().is_none_or(|(open, _)| *open != path) {
            let file = OpenOptions::new().append(true).create(true).mode(0o640).open(&path)?;
            self.file = Some((path, file));
        }
        let mut line = if self.torn { vec![b'\n'] } else { Vec::new() };
        serde_json::to_writer(&mut line, &Line { record: record.clone(), key })?;
        line.push(b'\n');
        let Some((_, file)) = &mut self.file else { return Ok(()) };
        // One write, so that a line is there whole or, after a crash or on a full disk, cut at its end only.
        let written = file.write_all(&line);
        self.torn = written.is_err();
        written
    }
}

/// Records with an id above `after`, oldest first, at most `limit`.
pub fn read(directory: &Path, after: u64, service: Option<&str>, limit: usize) -> io::Result<Vec<Record>> {
    let wanted =
        |record: &Record| record.id > after && service.is_none_or(|name| record.service.as_deref() == Some(name));
    let mut found = Vec::new();
    for path in files(directory) {
        found.extend(lines(&path)?.into_iter().map(|line| line.record).filter(wanted));
        if found.len() >= limit {
            found.truncate(limit);
            break;
        }
    }
    Ok(found)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();
    files
}

/// Lines that are whole; others are told in the journal and left where they are.
fn lines(path: &Path) -> io::Result<Vec<Line>> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(File::open(path)?).split(b'\n')) {
        let line = line?;
        match serde_json::from_slice(&line) {
            Ok(line) => found.push(line),
            Err(_) if line.is_empty() => {}
            Err(error) => tracing::warn!("{}:{number}: this is no audit record: {error}", path.display()),
        }
    }
    Ok(found)
}

fn end_last_line(path: &Path) -> io::Result<()> {
    let text = fs::read(path)?;
    if text.last().is_some_and(|last| *last != b'\n') {
        OpenOptions::new().append(true).open(path)?.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::record::Kind;

    #[test]
    fn an_act_that_comes_again_after_a_crash_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let mut trail = Trail::open(directory.path().to_owned(), "1-").unwrap();
        let record = Record { pid: Some(7), ..Record::plain(Kind::Capability, "one".into()) };
        assert!(!trail.holds(&record, "k"));
        trail.append(record.clone(), Some("k".into()), 0).unwrap();
        drop(trail);
        let trail = Trail::open(directory.path().to_owned(), "1-").unwrap();
        assert!(trail.holds(&record, "k"));
        assert!(!trail.holds(&record, "another"));
        assert!(!trail.holds(&Record { pid: Some(8), ..record.clone() }, "k"));
        assert!(!trail.holds(&Record { time: "2020-01-01T00:00:00.000Z".into(), ..record }, "k"));
    }

    #[test]
    fn ids_and_sums_go_on_after_a_restart_even_with_a_cut_line() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Trail::open(directory.path().to_owned(), "1-").unwrap();
        let mut trail = open();
        let first = trail.append(Record::plain(Kind::Capability, "one".into()), Some("k".into()), 0).unwrap();
        assert_eq!(first.id, 1);
        assert_eq!(trail.append_due("k", 4).unwrap().unwrap().count, 4);
        assert!(trail.append_due("k", 4).unwrap().is_none());
        drop(trail);
        let file = files(directory.path())[0].clone();
        OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"time\":\"20").unwrap();
        let mut trail = open();
        let again = trail.append_due("k", 9).unwrap().unwrap();
        assert_eq!((again.id, again.count, again.repeats), (3, 5, Some(1)));
        let all = read(directory.path(), 0, None, 100).unwrap();
        assert_eq!(all.iter().map(|record| record.count).sum::<u64>(), 10);
        assert_eq!(read(directory.path(), 2, None, 100).unwrap().len(), 1);
        assert_eq!(read(directory.path(), 0, None, 1).unwrap()[0].id, 1, "the oldest come first");
        assert!(read(directory.path(), 0, Some("web"), 100).unwrap().is_empty());
    }
}
