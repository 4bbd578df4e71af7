//! Files of the trail. A segment is `audit-FIRST-DAY.jsonl`, named by its first record and the day on which it was begun;
//! when it is closed it is compressed to `….jsonl.gz`. Files from before there was a chain are `audit-DAY.jsonl`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use super::line::{self, Digest, Line, Raw};

/// What comes before what: names sort as their records do, whatever the clock said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// Of this day (`YYYYMMDD`), from before there was a chain.
    Unchained(String),
    /// Of the chain: the id of its first record, and the day.
    Chained(u64, String),
}

impl Name {
    /// The name of a file without `.jsonl` or `.jsonl.gz`; nothing for other files.
    fn of(stem: &str) -> Option<Name> {
        let rest = stem.strip_prefix("audit-")?;
        let day =
            |text: &str| (text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned());
        match rest.split_once('-') {
            None => day(rest).map(Name::Unchained),
            Some((first, rest)) => Some(Name::Chained(first.parse().ok()?, day(rest)?)),
        }
    }

    /// The name of its file while it is written.
    pub fn file(&self) -> String {
        match self {
            Name::Unchained(day) => format!("audit-{day}.jsonl"),
            Name::Chained(first, day) => format!("audit-{first:012}-{day}.jsonl"),
        }
    }
}

/// A file of the trail.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its name.
    pub name: Name,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is compressed.
    pub packed: bool,
}

impl Segment {
    /// Bytes on the disk; 0 when it is gone.
    pub fn size(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |about| about.len())
    }

    /// The id of its first record, where the name tells it.
    pub fn first(&self) -> Option<u64> {
        match self.name {
            Name::Unchained(_) => None,
            Name::Chained(first, _) => Some(first),
        }
    }

    /// The name of the file in messages.
    pub fn label(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn open(&self) -> io::Result<Box<dyn BufRead>> {
        match File::open(&self.path) {
            Ok(file) if self.packed => Ok(Box::new(BufReader::new(GzDecoder::new(BufReader::new(file))))),
            Ok(file) => Ok(Box::new(BufReader::new(file))),
            // It was compressed since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.packed => {
                let packed = Segment { path: packed(&self.path), packed: true, name: self.name.clone() };
                packed.open().map_err(|_| error)
            }
            Err(error) => Err(error),
        }
    }

    /// Digest of all of it, compressed or not.
    pub fn digest(&self) -> io::Result<Digest> {
        Digest::of_all(self.open()?)
    }

    /// Its lines as they are.
    pub fn raw(&self) -> io::Result<impl Iterator<Item = io::Result<Raw>>> {
        Ok(line::raw(self.open()?))
    }

    /// Lines that are records; others are told in the journal and passed over, but for a last one that is being written.
    pub fn lines(&self) -> io::Result<impl Iterator<Item = io::Result<Line>>> {
        self.lines_after(0)
    }

    /// The same for those whose ids are greater than this.
    pub fn lines_after(&self, after: u64) -> io::Result<impl Iterator<Item = io::Result<Line>>> {
        let path = self.path.clone();
        Ok(self.raw()?.filter_map(move |raw| match raw {
            Err(error) => Some(Err(error)),
            Ok(raw) if raw.text.is_empty() || line::id(&raw.text).is_some_and(|id| id <= after) => None,
            Ok(raw) => match serde_json::from_slice(&raw.text) {
                Ok(line) => Some(Ok(line)),
                Err(_) if !raw.ended => None,
                Err(error) => {
                    tracing::warn!("{}:{}: this is no audit record: {error}", path.display(), raw.number);
                    None
                }
            },
        }))
    }
}

/// The path of a segment when it is compressed.
pub(super) fn packed(plain: &Path) -> PathBuf {
    plain.with_extension("jsonl.gz")
}

/// Every file of the trail in `directory`, the oldest first; none where there is no directory. Of a segment whose
/// compressing was cut short the plain file counts.
pub fn list(directory: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (stem, packed) = match (file.strip_suffix(".jsonl"), file.strip_suffix(".jsonl.gz")) {
            (Some(stem), _) => (stem, false),
            (None, Some(stem)) => (stem, true),
            (None, None) => continue,
        };
        if let Some(name) = Name::of(stem) {
            found.push(Segment { name, path, packed });
        }
    }
    found.sort_by(|one, other| (&one.name, one.packed).cmp(&(&other.name, other.packed)));
    found.dedup_by(|later, earlier| later.name == earlier.name);
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_the_order_of_their_records() {
        let directory = tempfile::tempdir().unwrap();
        let names = [
            "audit-20260102.jsonl",
            "audit-000000000007-20260102.jsonl.gz",
            "audit-000000000007-20260102.jsonl",
            "audit-000000000100-20250101.jsonl",
            "audit-20260101.jsonl",
            "audit-1.jsonl",
            "heads.jsonl",
            "audit-000000000007-20260102.jsonl.gz.new",
        ];
        names.iter().for_each(|name| fs::write(directory.path().join(name), "").unwrap());
        let found: Vec<String> = list(directory.path()).unwrap().iter().map(Segment::label).collect();
        let wanted = ["audit-20260101.jsonl", "audit-20260102.jsonl", names[2], names[3]];
        assert_eq!(found, wanted);
        assert!(list(&directory.path().join("nowhere")).unwrap().is_empty());
    }
}
