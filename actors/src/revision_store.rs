//! Revisions on disk: `N/` with the policy files it was made of and `revision.json`; `active` names the one in force.

use std::fs;
use std::io;
use std::path::PathBuf;

use policy::capability::Bits;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::atomic;
use crate::clock;
use crate::deadline::Deadline;

/// Names the revision that waits to be confirmed.
const PENDING: &str = "pending.json";
/// What a revision's directory holds.
const FILE: &str = "revision.json";

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
    /// SHA-256 over bits, paths and texts, hexadecimal.
    pub digest: String,
    /// RFC 3339.
    pub time: String,
    /// Who applied it.
    pub by: String,
    /// Why, if that was said.
    #[serde(default)]
    pub why: Option<String>,
    /// The revision whose files these are, if it goes back to an earlier one.
    #[serde(default)]
    pub back_to: Option<u64>,
    /// What it was made of.
    pub files: Vec<PolicyFile>,
    /// Bits of the capabilities that operators have added, now or once.
    #[serde(default)]
    pub bits: Bits,
}

impl Revision {
    /// A revision of these files.
    pub fn new(number: u64, files: Vec<PolicyFile>, bits: Bits, by: &str) -> Revision {
        let digest = digest(&files, &bits);
        Revision {
            number,
            digest,
            time: clock::rfc3339(clock::now_ms()).into(),
            by: by.to_owned(),
            files,
            bits,
            why: None,
            back_to: None,
        }
    }
}

/// A revision without its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// SHA-256, hexadecimal.
    pub digest: String,
    /// RFC 3339.
    pub time: String,
    /// Who applied it.
    pub by: String,
    /// Why, if that was said.
    pub why: Option<String>,
    /// The revision that it goes back to.
    pub back_to: Option<u64>,
    /// How many files it has.
    pub files: usize,
}

impl From<Revision> for Head {
    fn from(revision: Revision) -> Head {
        let Revision { number, digest, time, by, why, back_to, files, .. } = revision;
        Head { number, digest, time, by, why, back_to, files: files.len() }
    }
}

fn digest(files: &[PolicyFile], bits: &Bits) -> String {
    let mut hash = Sha256::new();
    for (name, bit) in bits {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update([*bit]);
    }
    for file in files {
        // Lengths keep "ab" + "c" apart from "a" + "bc".
        hash.update((file.path.len() as u64).to_le_bytes());
        hash.update(&file.path);
        hash.update((file.text.len() as u64).to_le_bytes());
        hash.update(&file.text);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A revision that counts until its time is over, unless somebody confirms it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its number.
    pub number: u64,
    /// The end.
    pub until: Deadline,
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
        self.directory.join(number.to_string()).join(FILE)
    }

    /// The number that a new revision gets: one more than any that exists.
    pub fn next(&self) -> u64 {
        self.numbers().last().copied().unwrap_or(0) + 1
    }

    fn numbers(&self) -> Vec<u64> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let mut numbers: Vec<u64> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        numbers.sort_unstable();
        numbers
    }

    /// Writes a revision; it is not active by that. Its directory gets its name when all is in it: what a full disk or a
    /// kill cut short is no revision, so one without its file was tampered with.
    pub fn save(&self, revision: &Revision) -> io::Result<()> {
        let whole = self.directory.join(revision.number.to_string());
        let fresh = whole.with_extension("new");
        let written = atomic::write(&fresh.join(FILE), &serde_json::to_vec_pretty(revision)?)
            .and_then(|()| fs::rename(&fresh, &whole))
            .and_then(|()| fs::File::open(&self.directory)?.sync_all());
        if written.is_err() {
            let _ = fs::remove_dir_all(&fresh); // What stays is overwritten by the next of that number.
        }
        written
    }

    /// Makes a revision the one that the next start loads.
    pub fn activate(&self, number: u64) -> io::Result<()> {
        atomic::write(&self.directory.join("active"), number.to_string().as_bytes())
    }

    /// The active revision, or where that cannot be used the newest one that can, with what is wrong with those that are
    /// newer; `None` when there is none yet. An error when there are revisions and not one can be used.
    pub fn last_good(&self) -> Result<(Option<Revision>, Vec<String>), String> {
        let pointer = self.directory.join("active");
        let mut wrong = Vec::new();
        match fs::read_to_string(&pointer).map(|text| text.trim().parse::<u64>()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, wrong)),
            Err(error) => wrong.push(format!("{}: {error}", pointer.display())),
            Ok(Err(_)) => wrong.push(format!("{}: expected a number", pointer.display())),
            Ok(Ok(number)) => match self.load(number) {
                Ok(revision) => return Ok((Some(revision), wrong)),
                Err(error) => wrong.push(error),
            },
        }
        for number in self.numbers().into_iter().rev() {
            match self.load(number) {
                Ok(revision) => return Ok((Some(revision), wrong)),
                Err(error) => wrong.push(error),
            }
        }
        wrong.dedup();
        Err(wrong.join("; "))
    }

    /// The revision that waits to be confirmed, if one does. A file that cannot be read is none: the active one counts.
    pub fn pending(&self) -> Option<Pending> {
        let text = fs::read(self.directory.join(PENDING)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Has a revision wait to be confirmed: meanwhile the active one stays what the next boot loads.
    pub fn wait_for(&self, pending: &Pending) -> io::Result<()> {
        atomic::write(&self.directory.join(PENDING), &serde_json::to_vec(pending)?)
    }

    /// No revision waits any more.
    pub fn settled(&self) -> io::Result<()> {
        match fs::remove_file(self.directory.join(PENDING)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// The revision that counts at this moment: the one that waits to be confirmed, else [`RevisionStore::last_good`].
    pub fn in_force(&self) -> Result<(Option<Revision>, Vec<String>), String> {
        match self.pending().filter(|pending| pending.until.left().is_some()).map(|pending| self.load(pending.number)) {
            Some(Ok(revision)) => Ok((Some(revision), Vec::new())),
            _ => self.last_good(),
        }
    }

    /// Every revision that can be read, oldest first, and what is wrong with the others. One at a time is in memory.
    pub fn all(&self) -> (Vec<Head>, Vec<String>) {
        let (mut good, mut wrong) = (Vec::new(), Vec::new());
        for number in self.numbers() {
            match self.load(number) {
                Ok(revision) => good.push(revision.into()),
                Err(error) => wrong.push(error),
            }
        }
        (good, wrong)
    }

    /// Reads one.
    pub fn load(&self, number: u64) -> Result<Revision, String> {
        let file = self.file(number);
        let text = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let revision: Revision =
            serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        if revision.digest == digest(&revision.files, &revision.bits) {
            Ok(revision)
        } else {
            Err(format!("{}: the files in it do not fit its digest", file.display()))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_revisions_are_listed_in_no_time() {
        let directory = tempfile::tempdir().unwrap();
        let store = RevisionStore::new(directory.path().to_owned());
        let files = vec![PolicyFile { path: "a.toml".into(), text: "x".repeat(20_000) }];
        for number in 1..=100 {
            store.save(&Revision::new(number, files.clone(), Bits::new(), "root")).unwrap();
        }
        let started = std::time::Instant::now();
        let (heads, wrong) = store.all();
        let took = started.elapsed();
        eprintln!("100 revisions of 20 kB are listed in {took:.1?}");
        assert_eq!((heads.len(), heads[99].number, heads[99].files, wrong.len()), (100, 100, 1, 0));
        assert!(took < std::time::Duration::from_secs(20), "{took:.1?}");
    }

    #[test]
    fn a_write_that_was_cut_short_is_no_revision_and_one_whose_file_is_gone_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let store = RevisionStore::new(directory.path().to_owned());
        let revision = |number| Revision::new(number, Vec::new(), Bits::new(), "root");
        store.save(&revision(1)).unwrap();
        fs::create_dir(directory.path().join("2.new")).unwrap();
        fs::write(directory.path().join("2.new/revision.json.new"), "{\"numb").unwrap();
        assert_eq!((store.next(), store.all().0.len(), store.all().1), (2, 1, Vec::new()));
        store.save(&revision(2)).unwrap();
        assert_eq!((store.all().0.len(), fs::read_dir(directory.path()).unwrap().count()), (2, 2));
        // A number that is a file cannot become a directory: what was begun is taken away.
        fs::write(directory.path().join("3"), "").unwrap();
        store.save(&revision(3)).unwrap_err();
        assert!(!directory.path().join("3.new").exists());
        fs::remove_file(directory.path().join("3")).unwrap();
        fs::remove_file(directory.path().join("2/revision.json")).unwrap();
        assert!(store.all().1[0].contains("2/revision.json"), "{:?}", store.all());
    }

    #[test]
    fn the_active_revision_comes_back_and_a_changed_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = RevisionStore::new(directory.path().to_owned());
        let active = || store.last_good().map(|(revision, _)| revision);
        assert_eq!((active().unwrap(), store.next()), (None, 1));
        let files = vec![PolicyFile { path: "a.toml".into(), text: "[[rule]]".into() }];
        let revision = Revision::new(1, files.clone(), Bits::from([("PAYROLL".to_owned(), 15)]), "root");
        store.save(&revision).unwrap();
        assert_eq!(active().unwrap(), None, "saved is not active");
        store.activate(1).unwrap();
        assert_eq!(active().unwrap().as_ref(), Some(&revision));
        store.save(&Revision::new(2, files, Bits::new(), "root")).unwrap();
        store.activate(2).unwrap();
        let spoil = |number: u64| {
            let file = directory.path().join(format!("{number}/revision.json"));
            fs::write(&file, fs::read_to_string(&file).unwrap().replace("[[rule]]", "[[role]]")).unwrap();
        };
        let pending = |time| Pending { number: 1, until: Deadline::after(time) };
        store.wait_for(&pending(std::time::Duration::from_secs(60))).unwrap();
        assert_eq!(store.in_force().unwrap().0.unwrap().number, 1);
        assert_eq!(active().unwrap().unwrap().number, 2, "what the next boot loads");
        store.wait_for(&pending(std::time::Duration::ZERO)).unwrap();
        assert_eq!(store.in_force().unwrap().0.unwrap().number, 2);
        store.settled().unwrap();
        assert_eq!((store.pending(), store.all().0.len()), (None, 2));
        spoil(2);
        let (found, wrong) = store.last_good().unwrap();
        assert_eq!(found.as_ref(), Some(&revision), "the one before it");
        assert!(wrong[0].contains("digest"), "{wrong:?}");
        spoil(1);
        assert!(store.last_good().unwrap_err().contains("1/revision.json"));
    }
}
