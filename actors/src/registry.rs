//! Which services there are: found in the kernel at start and as they come. Each gets a learner.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use actix::prelude::*;
use bpf::event::{Act, Event};
use bpf::kernel::SeenService;
use policy::model::Model;

mod import;
mod newcomers;
mod running;

use self::newcomers::{Waiting, has_model};
use crate::anomalies::Anomalies;
use crate::clock;
use crate::directory::Directory;
use crate::learner::Learner;
use crate::messages::{Find, Look, Models, Observed, Placed, Running, ServiceOf, Show, Supervise, Told, UnitNow};
use crate::model_store::ModelStore;
use crate::record::Kind;
use crate::root::{Child, ExitNotice, Start};
use crate::terms::Terms;

/// How often the kernel's list is read, in case an announcement was lost.
const LOOK: Duration = Duration::from_secs(15);

/// What Root calls the learner of a service.
pub(crate) fn child(service: &str) -> String {
    format!("learner of {service}")
}

/// Keeper of the list.
pub struct Registry {
    directory: Directory,
    store: ModelStore,
    terms: Terms,
    /// What the policy keeper was told.
    places: BTreeMap<String, String>,
    /// Services that came when all others were active.
    late: BTreeSet<String>,
    /// Services that get a learner as soon as it is on record that they are new.
    waiting: Waiting,
    _notice: ExitNotice,
}

impl Registry {
    /// A registry whose learners keep their models in `store`.
    pub fn new(directory: Directory, store: ModelStore, terms: Terms, notice: ExitNotice) -> Registry {
        let (places, late) = (BTreeMap::new(), BTreeSet::new());
        Registry { directory, store, terms, places, late, waiting: Waiting::default(), _notice: notice }
    }

    /// Starts it with the models that are on disk.
    pub fn run(mut self, models: BTreeMap<String, Model>) {
        let known = models.keys().cloned().chain(self.directory.learners().into_keys());
        self.late = known.filter(|name| Anomalies::read(self.store.beside(name)).is_newcomer()).collect();
        let directory = self.directory.clone();
        for model in models.into_values() {
            self.employ(model);
        }
        directory.set_registry(self.start());
    }

    fn ensure(&self, service: &str) {
        if has_model(service) && self.directory.learner(service).is_none() {
            self.employ(Model::new(service, clock::now_ms()));
        }
    }

    /// Tells learners what their services run already. One that is busy learns it when the program starts again.
    fn tell_what_runs(&self) -> impl Future<Output = ()> + use<> {
        let directory = self.directory.clone();
        async move {
            let Some(kernel) = directory.kernel() else { return };
            let service_of = async |process| kernel.send(ServiceOf(process)).await.ok()?.ok()?;
            for (service, programs) in running::programs(Path::new("/proc"), service_of).await {
                if let Some(learner) = directory.learner(&service)
                    && let Err(error) = learner.try_send(Running(programs))
                {
                    tracing::error!("what {service} runs already is not in its model: {error}");
                }
            }
        }
    }

    /// Gives an observation to the learner of its service, if that has one.
    fn observed(&self, act: Act) -> ResponseFuture<Result<(), String>> {
        let service = act.service.clone();
        let Some(learner) = self.directory.learner(&service) else {
            let waits = self.waiting.has(&service).then(|| format!("{service} has no learner yet"));
            return Box::pin(async { waits.map_or(Ok(()), Err) });
        };
        let observed = learner.send(Observed(Box::new(act)));
        Box::pin(async move {
            observed.await.map_err(|error| format!("the learner of {service} does not answer: {error}"))?
        })
    }

    /// Tells a learner that its service runs: an archived one is back. One that cannot listen now is told next time.
    fn is_there(&self, service: &SeenService) {
        if let Some(learner) = self.directory.learner(&service.name) {
            let _ =
                learner.try_send(UnitNow { running: true, earlier: service.started_earlier, units: None, file: false });
        }
    }

    /// Starts a learner, and has Root keep it running.
    fn employ(&self, model: Model) {
        let Some(root) = self.directory.root() else { return };
        let name = child(&model.service);
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

    /// Tells the policy keeper where services are, before it hears of those that are new.
    fn place(&mut self, services: &[SeenService]) {
        let here = services.iter().filter_map(|one| Some((one.name.clone(), one.slice.clone()?)));
        let now: BTreeMap<String, String> = here.collect();
        if now != self.places
            && let Some(keeper) = self.directory.keeper()
            && keeper.try_send(Placed(now.clone())).is_ok()
        {
            self.places = now;
        }
    }
}

impl Actor for Registry {
    type Context = Context<Registry>;

    fn started(&mut self, context: &mut Context<Registry>) {
        context.set_mailbox_capacity(4096);
        let first = self.look(None).then(|(), registry, _| registry.tell_what_runs().into_actor(registry));
        context.wait(first);
        context.run_interval(LOOK, |registry, context| {
            let look = registry.look(None);
            context.wait(look);
        });
    }
}

impl Handler<Told> for Registry {
    type Result = AtomicResponse<Registry, Result<(), String>>;

    fn handle(&mut self, Told(event): Told, _: &mut Context<Registry>) -> Self::Result {
        AtomicResponse::new(match event {
            Event::ServiceSeen { .. } => Box::pin(self.look(None).map(|(), _, _| Ok(()))),
            Event::Observation(act) => {
                let known = self.directory.learner(&act.service).is_some() || !has_model(&act.service);
                // One that was gone before anybody looked.
                let looked = if known { Box::pin(fut::ready(())) } else { self.look(Some(act.service.to_string())) };
                Box::pin(looked.then(|(), registry, _| registry.observed(act).into_actor(registry)))
            }
            // Violations go to the audit log directly.
            Event::Violation(_) => Box::pin(fut::ready(Ok(()))),
        })
    }
}

impl Handler<Look> for Registry {
    type Result = ();

    fn handle(&mut self, _: Look, context: &mut Context<Registry>) {
        let look = self.look(None);
        context.wait(look);
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
