//! Which services there are: found in the kernel at start and as they come. Each gets a learner.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::prelude::*;
use bpf::event::Event;
use bpf::kernel::SeenService;
use policy::baseline;
use policy::model::Model;
use policy::selftest;

use crate::clock;
use crate::directory::Directory;
use crate::learner::Learner;
use crate::messages::{Find, Models, Observed, Services, Show, Supervise, Told, UnitNow};
use crate::model_store::ModelStore;
use crate::record::Kind;
use crate::root::{Child, ExitNotice, Start};
use crate::terms::Terms;

mod import;

/// How often the kernel's list is read, in case an announcement was lost.
const LOOK: Duration = Duration::from_secs(15);

/// Keeper of the list.
pub struct Registry {
    directory: Directory,
    store: ModelStore,
    terms: Terms,
    _notice: ExitNotice,
}

impl Registry {
    /// A registry whose learners keep their models in `store`.
    pub fn new(directory: Directory, store: ModelStore, terms: Terms, notice: ExitNotice) -> Registry {
        Registry { directory, store, terms, _notice: notice }
    }

    /// Starts it with the models that are on disk.
    pub fn run(self, models: BTreeMap<String, Model>) {
        let directory = self.directory.clone();
        for model in models.into_values() {
            self.employ(model);
        }
        directory.set_registry(self.start());
    }

    fn ensure(&self, service: &str) {
        let has_model = !baseline::is_exempt(service) && service != selftest::SERVICE;
        if has_model && self.directory.learner(service).is_none() {
            self.employ(Model::new(service, clock::now_ms()));
        }
    }

    /// Tells a learner that its service runs: an archived one is back. One that cannot listen now is told next time.
    fn is_there(&self, service: &SeenService) {
        if let Some(learner) = self.directory.learner(&service.name) {
            let _ = learner.try_send(UnitNow { running: true, earlier: service.started_earlier, units: None });
        }
    }

    /// Starts a learner, and has Root keep it running.
    fn employ(&self, model: Model) {
        let Some(root) = self.directory.root() else { return };
        let name = format!("learner of {}", model.service);
        let child = Child { name: name.clone(), start: self.rebuild(&model.service), running: true };
        if let Err(error) = root.try_send(Supervise(child)) {
            tracing::error!("{name} would run without supervision and is not started: {error}");
            return;
        }
        let notice = ExitNotice::new(&name, root);
        Learner::new(model, self.store.clone(), self.directory.clone(), self.terms.clone(), notice).run();
    }

    /// What Root does when a learner is gone: its model is on disk.
    fn rebuild(&self, service: &str) -> Start {
        let (store, directory, terms) = (self.store.clone(), self.directory.clone(), self.terms.clone());
        let service = service.to_owned();
        Box::new(move |notice| {
            let (models, aside) = store.load(clock::now_ms()).map_err(|error| error.to_string())?;
            aside.iter().for_each(|one| directory.tell(Kind::Lifecycle, Some(&one.service), one.to_string()));
            let known = models.into_iter().find(|model| model.service == service);
            let model = known.unwrap_or_else(|| Model::new(&service, clock::now_ms()));
            Learner::new(model, store.clone(), directory.clone(), terms.clone(), notice).run();
            Ok(())
        })
    }

    fn look(&mut self, context: &mut Context<Registry>) {
        let Some(kernel) = self.directory.kernel() else { return };
        context.spawn(kernel.send(Services).into_actor(self).map(|answer, registry, _| {
            if let Ok(Ok(services)) = answer {
                // A rule or the baseline gives numbers to services that may never run here.
                let running = services.iter().filter(|service| service.running);
                running.for_each(|service| {
                    registry.ensure(&service.name);
                    registry.is_there(service);
                });
            }
        }));
    }
}

impl Actor for Registry {
    type Context = Context<Registry>;

    fn started(&mut self, context: &mut Context<Registry>) {
        context.set_mailbox_capacity(4096);
        self.look(context);
        context.run_interval(LOOK, Registry::look);
    }
}

impl Handler<Told> for Registry {
    type Result = ResponseFuture<Result<(), String>>;

    fn handle(&mut self, Told(event): Told, context: &mut Context<Registry>) -> Self::Result {
        match event {
            Event::ServiceSeen { .. } => self.look(context),
            Event::Observation(act) => {
                self.ensure(&act.service);
                if let Some(learner) = self.directory.learner(&act.service) {
                    let service = act.service.clone();
                    let observed = learner.send(Observed(Box::new(act)));
                    return Box::pin(async move {
                        observed.await.map_err(|error| format!("the learner of {service} does not answer: {error}"))
                    });
                }
            }
            // Violations go to the audit log directly.
            Event::Violation(_) => {}
        }
        Box::pin(async { Ok(()) })
    }
}

impl Handler<Find> for Registry {
    type Result = Option<Addr<Learner>>;

    fn handle(&mut self, Find(service): Find, _: &mut Context<Registry>) -> Self::Result {
        self.directory.learner(&service)
    }
}

impl Handler<Models> for Registry {
    type Result = ResponseFuture<Vec<Model>>;

    fn handle(&mut self, _: Models, _: &mut Context<Registry>) -> Self::Result {
        let learners = self.directory.learners();
        Box::pin(async move {
            let mut models = Vec::new();
            for learner in learners.into_values() {
                models.extend(learner.send(Show).await);
            }
            models
        })
    }
}
