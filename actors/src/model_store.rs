//! Models on disk: one file per service.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use policy::model::{Model, ModelError};

use crate::atomic;

const EXTENSION: &str = "msgpack";

/// The directory of models.
#[derive(Clone, Debug)]
pub struct ModelStore {
    directory: PathBuf,
}

/// A file that was set aside, since nothing of it can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Service by the file's name.
    pub service: String,
    /// Where it is now.
    pub now: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for SetAside {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SetAside { service, now, why } = self;
        write!(out, "The model of {service} was set aside as {} and learning starts again: {why}", now.display())
    }
}

impl ModelStore {
    /// A store in this directory, which need not exist yet.
    pub fn new(directory: PathBuf) -> ModelStore {
        ModelStore { directory }
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn file(&self, service: &str) -> PathBuf {
        self.directory.join(format!("{}.{EXTENSION}", escape(service)))
    }

    /// The file beside the models that keeps what was told about a service, see [`crate::anomalies`].
    pub fn beside(&self, service: &str) -> PathBuf {
        self.directory.with_file_name("anomalies").join(format!("{}.json", escape(service)))
    }

    /// Writes a model whole.
    pub fn save(&self, model: &Model) -> Result<(), String> {
        let file = self.file(&model.service);
        let content = model.encode().map_err(|error| format!("the model of {}: {error}", model.service))?;
        atomic::write(&file, &content).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Removes all that is kept about a service.
    pub fn remove(&self, service: &str) -> Result<(), String> {
        for file in [self.file(service), self.beside(service)] {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(format!("{}: {error}", file.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads every model, and sets files that cannot be used aside: they are told, never read by half.
    pub fn load(&self, now_ms: i64) -> io::Result<(Vec<Model>, Vec<SetAside>)> {
        let (models, broken) = self.read()?;
        Ok((models, broken.into_iter().map(|one| one.set_aside(now_ms)).collect()))
    }

    /// Reads every model and leaves files that cannot be used where they are, for [`ModelStore::load`] to tell.
    pub fn read(&self) -> io::Result<(Vec<Model>, Vec<Broken>)> {
        let (mut models, mut broken) = (Vec::new(), Vec::new());
        let list = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((models, broken)),
            list => list?,
        };
        for entry in list {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != EXTENSION) {
                continue;
            }
            let service = path.file_stem().map(|stem| unescape(&stem.to_string_lossy())).unwrap_or_default();
            let host = crate::host::name();
            let read = fs::read(&path).map_err(|error| error.to_string());
            let model =
                read.and_then(|content| Model::decode(&content, &host).map_err(|error: ModelError| error.to_string()));
            match model {
                Ok(model) if model.service == service => models.push(model),
                Ok(model) => broken.push(Broken { why: format!("it is of {}", model.service), service, path }),
                Err(why) => broken.push(Broken { service, path, why }),
            }
        }
        Ok((models, broken))
    }
}

/// A model's file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Service, by the file's name.
    pub service: String,
    /// The file.
    pub path: PathBuf,
    /// What was expected.
    pub why: String,
}

impl Broken {
    fn set_aside(self, now_ms: i64) -> SetAside {
        let now = self.path.with_extension(format!("corrupt-{now_ms}"));
        let why = match fs::rename(&self.path, &now) {
            Ok(()) => self.why,
            Err(error) => format!("{}; it cannot be renamed: {error}", self.why),
        };
        SetAside { service: self.service, now, why }
    }
}

/// Unit names hold no slash, but a leading dot or a percent sign would confuse.
fn escape(service: &str) -> String {
    service.replace('%', "%25").replace('/', "%2f").replacen('.', "%2e", usize::from(service.starts_with('.')))
}

fn unescape(name: &str) -> String {
    name.replace("%2f", "/").replace("%2e", ".").replace("%25", "%")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_is_cut_short_anywhere_leaves_the_model_before_or_the_one_after() {
        let directory = tempfile::tempdir().unwrap();
        let store = ModelStore::new(directory.path().join("models"));
        let (before, after) = (Model::new("web", 5), Model::new("web", 6));
        store.save(&before).unwrap();
        let content = after.encode().unwrap();
        // What `atomic::write` leaves when it ends before the renaming: any beginning of the file beside the old one.
        for length in 0..=content.len() {
            fs::write(directory.path().join("models/web.msgpack.new"), &content[..length]).unwrap();
            assert_eq!(store.load(1).unwrap(), (vec![before.clone()], Vec::new()), "{length}");
        }
        store.save(&after).unwrap();
        assert_eq!(store.load(1).unwrap(), (vec![after], Vec::new()), "and the next one is written over it");
        assert_eq!(fs::read_dir(store.directory()).unwrap().count(), 1);
    }

    #[test]
    fn models_come_back_and_broken_ones_are_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let store = ModelStore::new(directory.path().join("models"));
        assert!(store.load(1).unwrap().0.is_empty());
        for service in ["web", "getty@", "php8.2-fpm", "odd%name"] {
            store.save(&Model::new(service, 5)).unwrap();
        }
        let broken = directory.path().join("models/web.msgpack");
        let content = fs::read(&broken).unwrap();
        fs::write(&broken, &content[..content.len() - 1]).unwrap();
        assert_eq!(store.read().unwrap().1.first().unwrap().path, broken, "left where it is");
        let (models, aside) = store.load(77).unwrap();
        let mut names: Vec<String> = models.into_iter().map(|model| model.service).collect();
        names.sort();
        assert_eq!(names, ["getty@", "odd%name", "php8.2-fpm"]);
        assert_eq!(aside.len(), 1);
        assert!(aside.iter().all(|one| one.service == "web" && one.why.contains("checksum")), "{aside:?}");
        assert!(directory.path().join("models/web.corrupt-77").exists());
    }
}
