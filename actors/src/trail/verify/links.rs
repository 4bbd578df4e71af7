//! Follows the chain from line to line.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::{Report, link};
use crate::trail::heads::Head;
use crate::trail::line::{Anchor, Digest, Raw};
use crate::trail::segment::Segment;

/// The line before.
struct Before {
    file: String,
    line: u64,
    id: u64,
    /// Not known where the line is no record.
    digest: Option<Digest>,
}

/// The chain so far.
pub(super) struct Links<'a> {
    heads: &'a BTreeMap<u64, Vec<Head>>,
    before: Option<Before>,
    /// File, id and the digest before it of the first record.
    first: Option<(String, u64, Digest)>,
    /// What the bounds had deleted at last: the record, and its digest.
    deleted: Option<(u64, Digest)>,
    /// Files from before the chain that the bounds had deleted.
    pub(super) deleted_files: BTreeSet<String>,
    /// Files from before the chain.
    pub(super) taken_over: Option<Vec<(String, Digest)>>,
}

impl<'a> Links<'a> {
    pub(super) fn new(heads: &'a BTreeMap<u64, Vec<Head>>) -> Links<'a> {
        let (before, first, deleted, taken_over) = (None, None, None, None);
        Links { heads, before, first, deleted, deleted_files: BTreeSet::new(), taken_over }
    }

    /// Follows one file.
    pub(super) fn follow(&mut self, segment: &Segment, newest: bool, report: &mut Report) -> io::Result<()> {
        let file = segment.label();
        let mut number = 0;
        for raw in segment.raw()? {
            match raw {
                Ok(raw) => {
                    number = raw.number;
                    self.line(&file, &raw, newest, report);
                }
                Err(error) => {
                    let what = format!("the file cannot be read to its end: {error}");
                    report.find(&file, Some(number + 1), self.expected(), what);
                }
            }
        }
        Ok(())
    }

    fn expected(&self) -> Option<u64> {
        self.before.as_ref().map(|before| before.id + 1)
    }

    fn line(&mut self, file: &str, raw: &Raw, newest: bool, report: &mut Report) {
        let found = link(&raw.text);
        if !raw.ended && newest && found.is_none() {
            let what = format!("{file}:{}: the last line is being written, or was cut off by a crash", raw.number);
            report.notes.push(format!("{what}; the daemon takes it out when it starts"));
            return;
        }
        if !raw.ended && !newest {
            let what = "the last line of a closed file does not end".to_owned();
            report.find(file, Some(raw.number), self.expected(), what);
        }
        let digest = Digest::of(&raw.text);
        let Some((line, previous)) = found else {
            let expected = self.expected();
            let what = "this is no record of the chain: it was changed, put in or cut off".to_owned();
            report.find(file, Some(raw.number), expected, what);
            if let Some(id) = expected {
                self.before = Some(Before { file: file.to_owned(), line: raw.number, id, digest: None });
            }
            return;
        };
        let id = line.record.id;
        self.connects(file, raw.number, id, previous, report);
        for head in self.heads.get(&id).into_iter().flatten().filter(|head| head.digest != digest) {
            let what = format!("this record is not the one that was signed on {}", head.time);
            report.find(file, Some(raw.number), Some(id), what);
        }
        match line.anchor {
            Some(Anchor::TakenOver(files)) => self.taken_over = Some(files),
            Some(Anchor::Deleted { up_to, digest, files }) => {
                self.deleted_files.extend(files);
                if self.deleted.is_none_or(|(known, _)| known <= up_to) {
                    self.deleted = Some((up_to, digest));
                }
            }
            None => {}
        }
        report.records += 1;
        report.first = report.first.or(Some(id));
        report.last = report.last.max(Some(id));
        self.before = Some(Before { file: file.to_owned(), line: raw.number, id, digest: Some(digest) });
    }

    fn connects(&mut self, file: &str, line: u64, id: u64, previous: Digest, report: &mut Report) {
        let Some(before) = &self.before else {
            self.first = Some((file.to_owned(), id, previous));
            return;
        };
        let after = before.id + 1;
        if id > after {
            let what = format!("records {after} to {} are missing before this one", id - 1);
            report.find(file, Some(line), Some(id), what);
        } else if id < after {
            let what = format!("this record follows record {}: the order was changed, or it is there twice", before.id);
            report.find(file, Some(line), Some(id), what);
        } else if before.digest.is_some_and(|digest| digest != previous) {
            let what = format!("this record was changed: record {id} was written after another text of it");
            report.find(&before.file, Some(before.line), Some(before.id), what);
        }
    }

    /// Whether the beginning is one: the very first record, or what follows the newest deletion within bounds.
    pub(super) fn end(&mut self, report: &mut Report) {
        let Some((file, id, previous)) = self.first.take() else { return };
        let begins = if previous == Digest::default() {
            id == 1 || self.taken_over.is_some()
        } else {
            self.deleted.is_some_and(|(up_to, digest)| {
                // A crash may have kept some of what was to be deleted.
                up_to > id.saturating_sub(1) || (up_to + 1 == id && digest == previous)
            })
        };
        if !begins {
            let what =
                format!("the records before {id} are missing, and no record says that they were deleted within bounds");
            report.find(&file, Some(1), Some(id), what);
        }
    }
}
