//! What was told about one service for never having been seen before: each thing once, over restarts too.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use policy::model::Model;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::atomic;

/// Most programs of one service that get a record of their own; the rest are counted.
const PROGRAMS_MAX: usize = 256;
/// Longest path that is kept as it is, in bytes; of a longer one the digest is kept.
const PATH_MAX: usize = 512;

/// The file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    /// The service came when all others were active.
    newcomer: bool,
    /// Programs with a record of their own.
    programs: BTreeSet<String>,
    /// Programs started beyond those.
    beyond: u64,
    /// How many of them a record has told.
    counted: u64,
}

/// What a program of an active service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// Told already.
    Old,
    /// Never seen before.
    New,
    /// Never seen before, and one more than are told one by one.
    Beyond,
}

/// What was told, kept in a file.
#[derive(Debug)]
pub struct Anomalies {
    file: PathBuf,
    told: Told,
    /// Programs beyond those that are told one by one, not on disk yet.
    uncounted: u64,
}

impl Anomalies {
    /// Reads the file. What one that cannot be read has told is told again.
    pub fn read(file: PathBuf) -> Anomalies {
        let told = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::error!("{}: what it has told is told again: {error}", file.display());
                Told::default()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Told::default(),
            Err(error) => {
                tracing::error!("{}: what it has told is told again: {error}", file.display());
                Told::default()
            }
        };
        Anomalies { file, told, uncounted: 0 }
    }

    /// Whether the service came when all others were active.
    pub fn is_newcomer(&self) -> bool {
        self.told.newcomer
    }

    /// What this program is to those that were told.
    pub fn program(&self, path: &str) -> Novelty {
        match self.told.programs.contains(&kept(path)) {
            true => Novelty::Old,
            false if self.told.programs.len() < PROGRAMS_MAX => Novelty::New,
            false => Novelty::Beyond,
        }
    }

    /// Keeps that the service was told as a newcomer.
    pub fn told_newcomer(&mut self) -> Result<(), String> {
        self.change(|told| told.newcomer = true)
    }

    /// Keeps that a program was told.
    pub fn told_program(&mut self, path: &str) -> Result<(), String> {
        self.change(|told| {
            told.programs.insert(kept(path));
        })
    }

    /// One more was started. It is counted in memory, as a service may start any number of programs and events wait while a file
    /// is written: a crash loses what came since [`Anomalies::keep_count`].
    pub fn count_beyond(&mut self) {
        self.uncounted = self.uncounted.saturating_add(1);
    }

    /// Keeps how many were started.
    pub fn keep_count(&mut self) -> Result<(), String> {
        let more = self.uncounted;
        if more > 0 {
            self.change(|told| told.beyond = told.beyond.saturating_add(more))?;
        }
        self.uncounted = 0;
        Ok(())
    }

    /// Whether a count is to be kept or told.
    pub fn are_due(&self) -> bool {
        self.uncounted > 0 || self.due() > 0
    }

    /// Programs whose count is kept and that no record has told yet.
    pub fn due(&self) -> u64 {
        self.told.beyond - self.told.counted.min(self.told.beyond)
    }

    /// Keeps that a record has told so many.
    pub fn told_beyond(&mut self, count: u64) -> Result<(), String> {
        self.change(|told| told.counted += count)
    }

    /// The service learns again: what it runs afterwards and did not run then is new.
    pub fn forget_programs(&mut self) -> Result<(), String> {
        if self.told.programs.is_empty() {
            return Ok(());
        }
        self.change(|told| told.programs.clear())
    }

    /// Changes it on disk, or not at all.
    fn change(&mut self, change: impl FnOnce(&mut Told)) -> Result<(), String> {
        let mut told = self.told.clone();
        change(&mut told);
        let text = serde_json::to_vec(&told).map_err(|error| error.to_string())?;
        atomic::write(&self.file, &text).map_err(|error| format!("{}: {error}", self.file.display()))?;
        self.told = told;
        Ok(())
    }
}

/// What is kept of a path.
fn kept(path: &str) -> String {
    if path.len() <= PATH_MAX {
        return path.to_owned();
    }
    // No path has no slash in front.
    Sha256::digest(path).iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Whether a model knows a program: the service started it, or it acted when the service learned something.
pub fn knows(model: &Model, path: &str) -> bool {
    let grants = model.granted.values().flat_map(|accesses| accesses.values());
    let mut seen = model.programs.values().chain(grants).flat_map(|evidence| evidence.hosts.values());
    model.programs.contains_key(path) || seen.any(|sighting| sighting.exe == path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use policy::access::Access;

    use super::*;
    use policy::model::Seen;

    #[test]
    fn each_program_is_told_once_and_the_rest_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("anomalies/web.json");
        let mut told = Anomalies::read(file.clone());
        assert_eq!(told.program("/bin/a\nb"), Novelty::New);
        told.told_program("/bin/a\nb").unwrap();
        assert_eq!(Anomalies::read(file.clone()).program("/bin/a\nb"), Novelty::Old);
        for number in 1..PROGRAMS_MAX {
            told.told_program(&format!("/bin/{number}")).unwrap();
        }
        assert_eq!((told.program("/bin/more"), told.program("/bin/1")), (Novelty::Beyond, Novelty::Old));
        told.count_beyond();
        told.count_beyond();
        assert_eq!((told.due(), Anomalies::read(file.clone()).due()), (0, 0), "no file is written for each");
        told.keep_count().unwrap();
        let mut told = Anomalies::read(file.clone());
        assert_eq!(told.due(), 2);
        told.told_beyond(2).unwrap();
        told.told_newcomer().unwrap();
        told.forget_programs().unwrap();
        let told = Anomalies::read(file.clone());
        assert_eq!((told.due(), told.program("/bin/1"), told.is_newcomer()), (0, Novelty::New, true));
        fs::write(&file, "{").unwrap();
        assert_eq!(Anomalies::read(file).program("/bin/a"), Novelty::New);
    }

    #[test]
    fn what_is_kept_of_long_paths_is_short() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("web.json");
        let long = |last: &str| format!("/{}{last}", "d".repeat(4000));
        let mut told = Anomalies::read(file.clone());
        told.told_program(&long("a")).unwrap();
        assert!(fs::metadata(&file).unwrap().len() < 200);
        let told = Anomalies::read(file);
        assert_eq!((told.program(&long("a")), told.program(&long("b"))), (Novelty::Old, Novelty::New));
    }

    #[test]
    fn a_count_that_cannot_be_written_is_not_lost() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("anomalies"), "in the way").unwrap();
        let mut told = Anomalies::read(directory.path().join("anomalies/web.json"));
        told.count_beyond();
        told.keep_count().unwrap_err();
        fs::remove_file(directory.path().join("anomalies")).unwrap();
        told.keep_count().unwrap();
        assert_eq!(told.due(), 1);
    }

    #[test]
    fn a_model_knows_what_it_ran_and_what_acted() {
        let mut model = Model::new("web", 0);
        model.observe("a", ("SHELL", Access::Execute), ("/usr/sbin/web", "/usr/bin/dash"), 1, Seen::Later);
        model.observe_program("a", "/usr/bin/dash", "/usr/sbin/parent", 1);
        for known in ["/usr/sbin/web", "/usr/bin/dash", "/usr/sbin/parent"] {
            assert!(knows(&model, known), "{known}");
        }
        assert!(!knows(&model, "/usr/bin/id"));
    }
}
