//! Proves that a trail is whole: every line follows from the one before, the beginning is explained by an anchor, files
//! from before the chain are as they were, and the chain reaches every signed head.

mod links;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::aside;
use super::heads::{self, Head};
use super::line::{Digest, Line};
use super::segment::{Segment, list};
use links::Links;

/// Something that cannot be as Bartizan wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The file, below the trail's directory.
    pub file: String,
    /// Its line, from 1, where one is meant.
    pub line: Option<u64>,
    /// The record, where one is known.
    pub id: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// What a verification saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Files read.
    pub files: u64,
    /// Records of the chain.
    pub records: u64,
    /// The oldest of them.
    pub first: Option<u64>,
    /// The newest of them.
    pub last: Option<u64>,
    /// Signed heads that hold.
    pub heads: u64,
    /// The newest record that a signed head covers.
    pub signed_up_to: Option<u64>,
    /// What cannot be as Bartizan wrote it; empty: the trail is whole.
    pub findings: Vec<Finding>,
    /// What is good to know and is no finding.
    pub notes: Vec<String>,
}

/// More findings are not listed; the trail is a different one then.
const FINDINGS: usize = 1_000;

impl Report {
    fn find(&mut self, file: &str, line: Option<u64>, id: Option<u64>, what: String) {
        if self.findings.len() < FINDINGS {
            self.findings.push(Finding { file: file.to_owned(), line, id, what });
        }
    }
}

/// How often the trail is listed again when a file of it vanished meanwhile, as rotation has it.
const ATTEMPTS: u32 = 3;

/// Verifies the trail in `directory`, with the public keys in `trusted`, or else those beside the trail.
pub fn verify(directory: &Path, trusted: Option<&Path>) -> io::Result<Report> {
    verify_showing(directory, trusted, &mut |_, _| {})
}

/// The same; `show` is told how many files of how many are read.
pub fn verify_showing(directory: &Path, trusted: Option<&Path>, show: &mut dyn FnMut(u64, u64)) -> io::Result<Report> {
    if !directory.is_dir() {
        std::fs::read_dir(directory)?;
    }
    let mut attempts = 1;
    loop {
        match once(directory, trusted, show) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempts < ATTEMPTS => attempts += 1,
            done => return done,
        }
    }
}

fn once(directory: &Path, trusted: Option<&Path>, show: &mut dyn FnMut(u64, u64)) -> io::Result<Report> {
    let mut report = Report::default();
    let heads = genuine(directory, trusted, &mut report)?;
    let segments = list(directory)?;
    let mut links = Links::new(&heads);
    let chained: Vec<&Segment> = segments.iter().filter(|segment| segment.first().is_some()).collect();
    let newest = segments.last().map(Segment::label);
    for (done, segment) in (0..).zip(&chained) {
        show(done, u64::try_from(chained.len()).unwrap_or(u64::MAX));
        links.follow(segment, Some(segment.label()) == newest, &mut report)?;
    }
    links.end(&mut report);
    let old: Vec<&Segment> = segments.iter().filter(|segment| segment.first().is_none()).collect();
    taken_over(&old, &links, &mut report)?;
    reaches_heads(&heads, newest.as_deref().unwrap_or("heads/signed"), &mut report);
    let waiting = aside::list(directory)?.len();
    if waiting > 0 {
        let who = "to be taken in by whoever writes it next";
        report.notes.push(format!("{waiting} records wait beside the trail, {who}"));
    }
    report.files = u64::try_from(segments.len()).unwrap_or(u64::MAX);
    Ok(report)
}

/// Heads by the record that they cover; what is none is a finding.
fn genuine(directory: &Path, trusted: Option<&Path>, report: &mut Report) -> io::Result<BTreeMap<u64, Vec<Head>>> {
    let beside = heads::public_file(directory);
    let path = trusted.unwrap_or(&beside);
    let keys = heads::keys(path)?;
    if keys.is_empty() && trusted.is_some() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{}: there is no public key", path.display())));
    }
    let mut found: BTreeMap<u64, Vec<Head>> = BTreeMap::new();
    for (line, head) in heads::read(directory)? {
        let mut wrong = |id, what: &str| report.find("heads/signed", Some(line), id, what.to_owned());
        match head {
            None => wrong(None, "this is no signed head: it was changed or cut off"),
            Some(head) if !head.is_genuine() => wrong(Some(head.id), "the signature of this head does not hold"),
            Some(head) if !keys.contains(&head.key) => {
                let what = format!("this head was signed with a key that is not in {}", path.display());
                wrong(Some(head.id), &what);
            }
            Some(head) => found.entry(head.id).or_default().push(head),
        }
    }
    Ok(found)
}

/// Files from before the chain: all that were taken over and not deleted within bounds, as they were.
fn taken_over(old: &[&Segment], links: &Links<'_>, report: &mut Report) -> io::Result<()> {
    let Some(files) = &links.taken_over else {
        for segment in old {
            let what = "no record of the chain has taken this file over".to_owned();
            report.find(&segment.label(), None, None, what);
        }
        return Ok(());
    };
    for (file, digest) in files {
        match old.iter().find(|segment| segment.name.file() == *file) {
            None if links.deleted_files.contains(file) => {}
            None => report.find(file, None, None, "this file from before the chain is missing".to_owned()),
            Some(segment) if segment.digest()? != *digest => {
                let what = "this file from before the chain was changed since it was taken over".to_owned();
                report.find(file, None, None, what);
            }
            Some(_) => {}
        }
    }
    for segment in old.iter().filter(|one| files.iter().all(|(file, _)| *file != one.name.file())) {
        let what = "this file is not of the chain, nor was it taken over into it".to_owned();
        report.find(&segment.label(), None, None, what);
    }
    Ok(())
}

/// Whether the chain is as long as it was when it was signed.
fn reaches_heads(heads: &BTreeMap<u64, Vec<Head>>, file: &str, report: &mut Report) {
    let last = report.last.unwrap_or(0);
    report.heads = heads.values().map(|heads| u64::try_from(heads.len()).unwrap_or(0)).sum();
    report.signed_up_to = heads.keys().next_back().copied();
    match heads.iter().next_back() {
        None if last > 0 => {
            report.notes.push("No head is signed yet: that the end was cut off could not be told".to_owned())
        }
        None => {}
        Some((id, head)) if *id > last => {
            let time = head.first().map_or("", |head| head.time.as_str());
            let what = format!("the end is missing: record {id} was signed on {time}, and the chain ends with {last}");
            report.find(file, None, Some(last + 1), what);
        }
        Some((id, _)) if *id < last => {
            report.notes.push(format!("{} records since the last signed head are not signed yet", last - id));
        }
        Some(_) => {}
    }
}

/// A line that is a record of the chain.
fn link(text: &[u8]) -> Option<(Line, Digest)> {
    let line: Line = serde_json::from_slice(text).ok()?;
    let previous = line.previous?;
    Some((line, previous))
}

#[cfg(test)]
#[path = "verify/tests.rs"]
mod tests;
