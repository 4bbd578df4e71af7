//! The segment that is being written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::segment::{Name, Segment};

/// An open segment of which every line is whole.
#[derive(Debug)]
pub(super) struct Writing {
    path: PathBuf,
    day: String,
    file: File,
    length: u64,
    /// A line was written in part, and could not be taken back yet.
    torn: bool,
}

impl Writing {
    /// Begins the segment whose first record has this id.
    pub(super) fn begin(directory: &Path, first: u64, day: &str) -> io::Result<Writing> {
        let path = directory.join(Name::Chained(first, day.to_owned()).file());
        let writing = Writing::open(path, day.to_owned())?;
        File::open(directory)?.sync_all()?;
        Ok(writing)
    }

    /// Goes on with a segment that an earlier start wrote, and whose last line is whole.
    pub(super) fn resume(segment: &Segment, day: &str) -> io::Result<Writing> {
        Writing::open(segment.path.clone(), day.to_owned())
    }

    fn open(path: PathBuf, day: String) -> io::Result<Writing> {
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(&path)?;
        let length = file.metadata()?.len();
        Ok(Writing { path, day, file, length, torn: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether so many bytes more belong into the next segment. A day that is earlier, as a clock that was set back tells
    /// it, is none.
    pub(super) fn is_over(&self, more: u64, most: u64, day: &str) -> bool {
        self.length > 0 && (self.length + more > most || day > self.day.as_str())
    }

    /// Appends a line, or leaves the file as it was. One write: a crash in its middle cuts this line off and nothing else.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        if let Err(error) = self.file.write_all(line) {
            self.torn = self.file.set_len(self.length).is_err();
            return Err(error);
        }
        self.length += u64::try_from(line.len()).unwrap_or(0);
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Whether the path still leads to this file: somebody may have removed it, or put another in its place.
    pub(super) fn is_there(&self) -> bool {
        let known = |about: std::fs::Metadata| (about.dev(), about.ino());
        let open = self.file.metadata().map(known).ok();
        open.is_some() && std::fs::metadata(&self.path).map(known).ok() == open
    }
}

#[cfg(test)]
impl Writing {
    /// One whose every write fails with ENOSPC.
    #[allow(clippy::unwrap_used)]
    pub(super) fn full(directory: &Path) -> Writing {
        let link = directory.join("full");
        std::os::unix::fs::symlink("/dev/full", &link).unwrap();
        Writing::open(link, "20260101".to_owned()).unwrap()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_begins_no_segment() {
        let directory = tempfile::tempdir().unwrap();
        let mut writing = Writing::begin(directory.path(), 1, "20260102").unwrap();
        assert!(!writing.is_over(5_000, 1_000, "20260103"), "one that is empty takes any line");
        writing.append(b"a line\n").unwrap();
        assert!(writing.is_over(1, 1_000, "20260103") && writing.is_over(1_000, 1_000, "20260102"));
        assert!(!writing.is_over(1, 1_000, "20260102") && !writing.is_over(1, 1_000, "19700101"));
    }
}
