//! One service's model: it takes in what the kernel observed, and graduates.

use std::time::{Duration, Instant};

use actix::prelude::*;
use bpf::event::{Act, Object, Why};
use policy::capability::is_programs;
use policy::model::{Model, Seen, State};

mod anomalous;
mod forget;
mod held;
mod join;
mod naps;
mod states;

use self::anomalous::{Answer, answer};
pub use self::forget::{KEPT, forget_beyond};
use self::held::Waiting;
use self::naps::Naps;
use crate::anomalies::Anomalies;
use crate::assemble::service_model;
use crate::clock;
use crate::directory::Directory;
use crate::host;
use crate::messages::{ModelChanged, Observed, Show, ShowMaturity};
use crate::model_store::ModelStore;
use crate::root::ExitNotice;
use crate::terms::Terms;

/// How long a service that may not become active waits before it is asked again.
const AGAIN: Duration = Duration::from_secs(60);
/// The time in learning is written each time that this part of it has passed; what was not written is lost with a boot.
const PARTS: u32 = 96;

/// Keeper of one model.
pub struct Learner {
    model: Model,
    store: ModelStore,
    anomalies: Anomalies,
    directory: Directory,
    terms: Terms,
    /// Name of this host, under which evidence is kept.
    host: String,
    unsaved: bool,
    /// What was told while it was held.
    waiting: Waiting,
    /// When it was refused to become active: it is tried again, but not with each tick.
    refused: Option<Instant>,
    /// How much of the learning is on disk: the rest is lost with the boot.
    counted: Duration,
    naps: Naps,
    _notice: ExitNotice,
}

impl Learner {
    /// A learner of this model. It graduates by these terms.
    pub fn new(model: Model, store: ModelStore, directory: Directory, terms: Terms, notice: ExitNotice) -> Learner {
        let (anomalies, counted) = (Anomalies::read(store.beside(&model.service)), model.progress.learned());
        let (host, unsaved, waiting, refused) = (host::name(), false, Waiting::default(), None);
        Learner {
            model,
            store,
            anomalies,
            directory,
            terms,
            host,
            unsaved,
            waiting,
            refused,
            counted,
            naps: Naps::default(),
            _notice: notice,
        }
    }

    /// Starts it and enters its address.
    pub fn run(self) {
        let (directory, service) = (self.directory.clone(), self.model.service.clone());
        directory.set_learner(&service, self.start());
    }

    fn learns(&self) -> bool {
        matches!(self.model.state, State::Learning | State::Manual)
    }

    fn save(&mut self) -> Result<(), String> {
        self.store.save(&self.model)?;
        (self.unsaved, self.counted) = (false, self.model.progress.learned());
        Ok(())
    }

    fn save_or_tell(&mut self) {
        if let Err(error) = self.save() {
            self.unsaved = true;
            tracing::error!("a model cannot be written and is kept in memory: {error}");
        }
    }

    /// Tells the policy keeper; nobody waits for the answer.
    fn publish(&self) {
        if let Some(keeper) = self.directory.keeper()
            && let Err(error) = keeper.try_send(ModelChanged(service_model(&self.model)))
        {
            tracing::error!("the model of {} did not reach the policy keeper: {error}", self.model.service);
        }
    }

    /// How much more of the learning is written at a time.
    fn part(&self) -> Duration {
        self.terms.graduation.learning / PARTS
    }

    /// Looks at the clock, and writes evidence that is not new.
    fn tick(&mut self, context: &mut Context<Learner>) {
        self.advance();
        self.take_up(context);
        let uncounted = self.model.progress.learned().saturating_sub(self.counted);
        if self.unsaved || (self.learns() && uncounted > self.part()) {
            self.save_or_tell();
        }
        self.tell_the_rest(context);
        if !self.pauses() {
            self.graduate(context);
        }
    }

    /// Whether a state was refused so recently that it is not asked for again.
    fn pauses(&self) -> bool {
        self.refused.is_some_and(|at| at.elapsed() < AGAIN)
    }
}

impl Actor for Learner {
    type Context = Context<Learner>;

    fn started(&mut self, context: &mut Context<Learner>) {
        context.set_mailbox_capacity(1024);
        self.save_or_tell();
        self.rouse(context);
        // The policy keeper has the archived ones that fit.
        if self.model.state != State::Archived {
            self.publish();
        }
    }
}

impl Handler<Observed> for Learner {
    type Result = Answer;

    fn handle(&mut self, Observed(act): Observed, context: &mut Context<Learner>) -> Self::Result {
        let answer = self.observed(act, context);
        self.rouse(context);
        answer
    }
}

impl Learner {
    fn observed(&mut self, act: Box<Act>, context: &mut Context<Learner>) -> Answer {
        let archived = self.model.state == State::Archived;
        if archived && !self.pauses() {
            self.come_back(context);
            // Given again, it meets the state that the service is in by then, and may teach it something.
            return answer(Err(format!("{} comes back from the archive; what it did is looked at again", act.service)));
        }
        if !self.teaches(&act) {
            // Any other late observation teaches nothing.
            return if act.why == Why::Program { self.anomalous(*act) } else { answer(Ok(())) };
        }
        if self.held().is_some() {
            self.waiting.put(*act);
        } else {
            self.learn(&act);
        }
        answer(Ok(()))
    }

    fn learn(&mut self, act: &Act) {
        let now = clock::ms_of(act.time);
        let object = match &act.object {
            Object::Path(path) | Object::Operation { path, .. } | Object::Cgroup(path) => path.as_str(),
            Object::Destination { .. } => "",
        };
        // A start's acts come within the first third of its time.
        let third = i64::try_from(self.terms.graduation.start.as_millis() / 3).unwrap_or(i64::MAX);
        let when = if act.at_start { Seen::InStart(third) } else { Seen::Later };
        let mut granted = false;
        let mut fresh = false;
        match act.why {
            Why::Program => fresh = self.model.observe_program(&self.host, object, &act.exe, now),
            Why::Capability => {
                let names = self.directory.capabilities(act.capabilities);
                for name in names.into_iter().filter(|name| !is_programs(name)) {
                    let (need, by) = ((name.as_str(), act.access), (act.exe.as_str(), object));
                    granted |= self.model.observe(&self.host, need, by, now, when);
                }
            }
            _ => {}
        }
        if granted || fresh {
            self.model.progress.novelty();
            self.save_or_tell();
        } else {
            self.unsaved = true;
        }
        if granted {
            self.publish();
        }
    }
}

impl Handler<Show> for Learner {
    type Result = MessageResult<Show>;

    fn handle(&mut self, _: Show, _: &mut Context<Learner>) -> Self::Result {
        MessageResult(self.model.clone())
    }
}

impl Handler<ShowMaturity> for Learner {
    type Result = MessageResult<ShowMaturity>;

    fn handle(&mut self, _: ShowMaturity, context: &mut Context<Learner>) -> Self::Result {
        self.advance();
        self.rouse(context);
        MessageResult(self.maturity())
    }
}
