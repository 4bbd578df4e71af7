//! Models of other hosts become part of this host's.

use actix::prelude::*;
use policy::baseline;
use policy::export::Export;
use policy::model::Model;
use policy::selftest;

use super::Registry;
use crate::directory::Directory;
use crate::host;
use crate::import_journal::{ImportJournal, unseen};
use crate::messages::{Import, Join, NotImported, Show};
use crate::record::Kind;

type Gained = Result<Vec<String>, NotImported>;

impl Handler<Import> for Registry {
    type Result = AtomicResponse<Registry, Gained>;

    fn handle(&mut self, Import { export, by }: Import, _: &mut Context<Registry>) -> Self::Result {
        let journal = ImportJournal::new(self.store.directory());
        let directory = self.directory.clone();
        let checked = check(directory.clone(), journal.clone(), export);
        AtomicResponse::new(Box::pin(checked.into_actor(self).then(move |checked, registry, _| {
            let begun = checked.and_then(|export| {
                journal.begin(&export).map_err(|error| failed(format!("nothing was imported: {error}")))?;
                let strangers = export.models.keys().filter(|name| directory.learner(name).is_none());
                strangers.for_each(|name| registry.employ(unseen(name)));
                Ok(export)
            });
            let joined = async move { join(&directory, &journal, begun?, &by).await };
            joined.into_actor(registry)
        })))
    }
}

fn failed(problem: String) -> NotImported {
    NotImported::Failed(vec![problem])
}

/// What may not become part of a model, before anything has changed.
async fn check(directory: Directory, journal: ImportJournal, export: Box<Export>) -> Result<Box<Export>, NotImported> {
    if journal.waits() {
        let line = "an earlier import has not been finished: see the journal, and restart bartizand".to_owned();
        return Err(failed(line));
    }
    let mut problems: Vec<String> = export.problem().into_iter().collect();
    let here = host::name();
    for (service, known) in &export.models {
        if baseline::is_exempt(service) || service == selftest::SERVICE {
            problems.push(format!("{service} has no model: it is never denied anything, or never learns"));
        }
        if let Some(learner) = directory.learner(service) {
            let model = learner.send(Show).await;
            let model: Model =
                model.map_err(|error| failed(format!("nothing was imported: the learner of {service}: {error}")))?;
            let mut joined = model.knowledge();
            joined.join(known);
            let problem = joined.problem_on(&here);
            problems.extend(problem.map(|problem| format!("the model of {service} with what is imported: {problem}")));
        } else if let Some(problem) = known.problem_on(&here) {
            problems.push(format!("the model of {service}: {problem}"));
        }
    }
    if problems.is_empty() { Ok(export) } else { Err(NotImported::Wrong(problems)) }
}

async fn join(directory: &Directory, journal: &ImportJournal, export: Box<Export>, by: &str) -> Gained {
    let (mut gained, mut problems) = (Vec::new(), Vec::new());
    let services = export.models.len();
    for (service, known) in export.models {
        let Some(learner) = directory.learner(&service) else {
            problems.push(format!("{service} has no learner"));
            continue;
        };
        match learner.send(Join { known: Box::new(known), by: by.to_owned() }).await {
            Ok(Ok(lines)) => gained.extend(lines.into_iter().map(|line| format!("{service} gains {line}"))),
            Ok(Err(error)) => problems.push(format!("{service}: {error}")),
            Err(error) => problems.push(format!("the learner of {service}: {error}")),
        }
    }
    let number = gained.len();
    directory.tell(
        Kind::Lifecycle,
        None,
        format!("Models of {services} services were imported by {by}: {number} gains"),
    );
    if problems.is_empty()
        && let Err(error) = journal.end()
    {
        problems.push(error);
    }
    if problems.is_empty() {
        return Ok(gained);
    }
    problems.push("the import counts, and the next start of bartizand finishes what is missing".to_owned());
    Err(NotImported::Failed(problems))
}
