//! An import is whole or not at all: it is written down before the first model changes, and finished by the next start
//! if this one does not come to it. Doing it twice does no harm, as joining is idempotent.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use policy::export::Export;
use policy::model::{Model, State};

use crate::atomic;
use crate::clock;
use crate::model_store::ModelStore;

const NAME: &str = "import.json";

/// The file, in the directory of models.
#[derive(Clone, Debug)]
pub struct ImportJournal {
    file: PathBuf,
}

impl ImportJournal {
    /// The journal beside these models.
    pub fn new(models: &Path) -> ImportJournal {
        ImportJournal { file: models.join(NAME) }
    }

    /// Whether an import has yet to be finished.
    pub fn waits(&self) -> bool {
        self.file.exists()
    }

    /// Writes an import down. From here on it counts.
    pub fn begin(&self, export: &Export) -> Result<(), String> {
        let text = export.text()?;
        atomic::write(&self.file, text.as_bytes()).map_err(|error| self.told(&error))
    }

    /// Every model has it.
    pub fn end(&self) -> Result<(), String> {
        let removed = fs::remove_file(&self.file).and_then(|()| match self.file.parent() {
            Some(directory) => fs::File::open(directory)?.sync_all(),
            None => Ok(()),
        });
        removed.map_err(|error| self.told(&error))
    }

    /// Joins what an earlier start has left into the models. The sentence says what was done.
    pub fn finish(&self, store: &ModelStore, models: &mut BTreeMap<String, Model>) -> Result<Option<String>, String> {
        let text = match fs::read_to_string(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| self.told(&error))?,
        };
        let export = Export::parse(&text).map_err(|error| format!("{}: {error}", self.file.display()))?;
        for (service, known) in &export.models {
            let model = models.entry(service.clone()).or_insert_with(|| unseen(service));
            model.join(known);
            store.save(model)?;
        }
        self.end()?;
        let names: Vec<&str> = export.models.keys().map(String::as_str).collect();
        Ok(Some(format!("An import of models that a restart had cut short was finished: {}", names.join(", "))))
    }

    fn told(&self, error: &io::Error) -> String {
        format!("{}: {error}", self.file.display())
    }
}

/// The model of a service that this host has not seen: it learns when its unit comes.
pub fn unseen(service: &str) -> Model {
    let model = Model::new(service, clock::now_ms());
    Model { state: State::Archived, returns_to: Some(State::Learning), ..model }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use policy::access::Access;
    use policy::model::Seen;

    #[test]
    fn what_was_cut_short_is_finished_once() {
        let directory = tempfile::tempdir().unwrap();
        let (store, journal) = (ModelStore::new(directory.path().to_owned()), ImportJournal::new(directory.path()));
        let mut elsewhere = Model::new("web", 0);
        elsewhere.observe("web-2", ("SHELL", Access::Execute), ("/x", "/bin/sh"), 1, Seen::Later);
        let export = Export::of([&elsewhere, &Model::new("db", 0)]);
        let mut here = Model::new("web", 7);
        here.state = State::Active;
        let mut models = BTreeMap::from([("web".to_owned(), here)]);
        assert_eq!(journal.finish(&store, &mut models), Ok(None));
        journal.begin(&export).unwrap();
        assert!(journal.waits());
        assert!(journal.finish(&store, &mut models).unwrap().unwrap().ends_with("db, web"));
        assert!(!journal.waits());
        let (found, broken) = store.read().unwrap();
        assert_eq!((found.len(), broken.len()), (2, 0));
        let found: BTreeMap<String, Model> = found.into_iter().map(|one| (one.service.clone(), one)).collect();
        assert_eq!(found["web"].granted, elsewhere.granted);
        assert_eq!((found["web"].state, found["web"].since), (State::Active, 7), "where it stands is not imported");
        assert_eq!((found["db"].state, found["db"].returns_to), (State::Archived, Some(State::Learning)));
        fs::write(directory.path().join(NAME), "{").unwrap();
        assert!(journal.finish(&store, &mut models).unwrap_err().contains(NAME));
    }
}
