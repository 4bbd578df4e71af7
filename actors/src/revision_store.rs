//! Revisions on disk: `N/` with the policy files it was made of and `revision.json`; `active` names the one in force.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::atomic;
use crate::clock;

/// One policy file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFile {
    /// Its path as the operator named it.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// A numbered, immutable policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Its number; 0 is the empty policy before any revision.
    pub number: u64,
    /// SHA-256 over paths and texts, hexadecimal.
    pub digest: String,
    /// RFC 3339.
    pub time: String,
    /// Who applied it.
    pub by: String,
    /// What it was made of.
    pub files: Vec<PolicyFile>,
}

impl Revision {
    /// A revision of these files.
    pub fn new(number: u64, files: Vec<PolicyFile>, by: &str) -> Revision {
        let digest = digest(&files);
        Revision { number, digest, time: clock::rfc3339(clock::now_ms()), by: by.to_owned(), files }
    }
}

fn digest(files: &[PolicyFile]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        // Lengths keep "ab" + "c" apart from "a" + "bc".
        hash.update((file.path.len() as u64).to_le_bytes());
        hash.update(&file.path);
        hash.update((file.text.len() as u64).to_le_bytes());
        hash.update(&file.text);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The directory of revisions.
#[derive(Clone, Debug)]
pub struct RevisionStore {
    directory: PathBuf,
}

impl RevisionStore {
    /// A store in this directory, which need not exist yet.
    pub fn new(directory: PathBuf) -> RevisionStore {
        RevisionStore { directory }
    }

    fn file(&self, number: u64) -> PathBuf {
        self.directory.join(number.to_string()).join("revision.json")
    }

    /// The number that a new revision gets: one more than any that exists.
    pub fn next(&self) -> u64 {
        let numbers = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok()).max().unwrap_or(0) + 1
    }

    /// Writes a revision; it is not active by that.
    pub fn save(&self, revision: &Revision) -> io::Result<()> {
        atomic::write(&self.file(revision.number), &serde_json::to_vec_pretty(revision)?)
    }

    /// Makes a revision the one that the next start loads.
    pub fn activate(&self, number: u64) -> io::Result<()> {
        atomic::write(&self.directory.join("active"), number.to_string().as_bytes())
    }

    /// The active revision; `None` when there is none yet. A broken one is an error that names its file.
    pub fn active(&self) -> Result<Option<Revision>, String> {
        let pointer = self.directory.join("active");
        let number = match fs::read_to_string(&pointer) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{}: {error}", pointer.display())),
            Ok(text) => text.trim().parse().map_err(|_| format!("{}: expected a number", pointer.display()))?,
        };
        let file = self.file(number);
        let text = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let revision: Revision =
            serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        if revision.digest == digest(&revision.files) {
            Ok(Some(revision))
        } else {
            Err(format!("{}: the files in it do not fit its digest", file.display()))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_active_revision_comes_back_and_a_changed_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = RevisionStore::new(directory.path().to_owned());
        assert_eq!((store.active().unwrap(), store.next()), (None, 1));
        let files = vec![PolicyFile { path: "a.toml".into(), text: "[[rule]]".into() }];
        let revision = Revision::new(1, files, "root");
        store.save(&revision).unwrap();
        assert_eq!(store.active().unwrap(), None, "saved is not active");
        store.activate(1).unwrap();
        assert_eq!(store.active().unwrap().as_ref(), Some(&revision));
        assert_eq!(store.next(), 2);
        let file = directory.path().join("1/revision.json");
        fs::write(&file, fs::read_to_string(&file).unwrap().replace("[[rule]]", "[[role]]")).unwrap();
        assert!(store.active().unwrap_err().contains("digest"));
    }
}
