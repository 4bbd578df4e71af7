//! One service's model: it takes in what the kernel observed, and graduates.

use std::time::{Duration, Instant};

use actix::prelude::*;
use bpf::event::{Object, Why};
use policy::capability::is_programs;
use policy::decide::Verdict;
use policy::model::{Model, State};

mod anomalous;

use self::anomalous::{Answer, answer};
use crate::anomalies::Anomalies;
use crate::assemble::service_model;
use crate::clock;
use crate::directory::Directory;
use crate::messages::{Enter, ModelChanged, Observed, Show};
use crate::model_store::ModelStore;
use crate::record::Kind;
use crate::root::ExitNotice;

/// How often a learner looks at the clock and writes evidence that is not new.
const TICK: Duration = Duration::from_secs(5);
/// How long a service that may not become active waits before it is asked again.
const AGAIN: Duration = Duration::from_secs(60);

/// Keeper of one model.
pub struct Learner {
    model: Model,
    store: ModelStore,
    anomalies: Anomalies,
    directory: Directory,
    learning_time: Duration,
    unsaved: bool,
    /// When it was refused to become active: it is tried again, but not with each tick.
    refused: Option<Instant>,
    _notice: ExitNotice,
}

impl Learner {
    /// A learner of this model. It graduates after `learning_time`.
    pub fn new(
        model: Model,
        store: ModelStore,
        directory: Directory,
        learning_time: Duration,
        notice: ExitNotice,
    ) -> Learner {
        let anomalies = Anomalies::read(store.beside(&model.service));
        Learner { model, store, anomalies, directory, learning_time, unsaved: false, refused: None, _notice: notice }
    }

    /// Starts it and enters its address.
    pub fn run(self) {
        let (directory, service) = (self.directory.clone(), self.model.service.clone());
        directory.set_learner(&service, self.start());
    }

    fn save(&mut self) -> Result<(), String> {
        self.store.save(&self.model)?;
        self.unsaved = false;
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

    fn tick(&mut self, context: &mut Context<Learner>) {
        if self.unsaved {
            self.save_or_tell();
        }
        self.tell_the_rest(context);
        let learned = Duration::from_millis(u64::try_from(clock::now_ms() - self.model.since).unwrap_or(0));
        let waits = self.refused.is_some_and(|at| at.elapsed() < AGAIN);
        if self.model.state == State::Learning && learned >= self.learning_time && !waits {
            let entered = self.enter(State::Active);
            context.wait(entered.map(|result, learner, _| {
                if let Err(error) = result {
                    learner.refused = Some(Instant::now());
                    tracing::error!("{} is ready and cannot become active: {error}", learner.model.service);
                }
            }));
        }
    }

    /// Moves to a state, on disk and in the kernel, or stays where it is.
    fn enter(&mut self, state: State) -> ResponseActFuture<Learner, Result<(), String>> {
        let before = (self.model.state, self.model.since);
        self.model.enter(state, clock::now_ms());
        if let Err(error) = self.save() {
            (self.model.state, self.model.since) = before;
            return Box::pin(fut::ready(Err(error)));
        }
        let Some(keeper) = self.directory.keeper() else {
            return Box::pin(fut::ready(Err("the policy keeper has not started".to_owned())));
        };
        let asked = keeper.send(ModelChanged(service_model(&self.model)));
        Box::pin(asked.into_actor(self).map(move |answer, learner, _| {
            let result = answer.map_err(|error| error.to_string()).and_then(|result| result);
            let service = learner.model.service.clone();
            match &result {
                Ok(()) => {
                    let message = format!("Service {service} is {}", state.name());
                    learner.directory.tell(Kind::Lifecycle, Some(&service), message);
                    if matches!(state, State::Learning | State::Manual)
                        && let Err(error) = learner.anomalies.forget_programs()
                    {
                        tracing::error!("{error}");
                    }
                }
                Err(_) => {
                    (learner.model.state, learner.model.since) = before;
                    learner.save_or_tell();
                }
            }
            result
        }))
    }
}

impl Actor for Learner {
    type Context = Context<Learner>;

    fn started(&mut self, context: &mut Context<Learner>) {
        context.set_mailbox_capacity(1024);
        context.run_interval(TICK, Learner::tick);
        self.save_or_tell();
        self.publish();
    }
}

impl Handler<Observed> for Learner {
    type Result = Answer;

    fn handle(&mut self, Observed(act): Observed, _: &mut Context<Learner>) -> Self::Result {
        // What the kernel told of a learning service that has graduated meanwhile was started while it learned.
        let learned = act.why == Why::Program && act.verdict == Verdict::Allow;
        if !matches!(self.model.state, State::Learning | State::Manual) && !learned {
            // Any other late observation teaches nothing.
            return if act.why == Why::Program { self.anomalous(*act) } else { answer(Ok(())) };
        }
        let now = clock::ms_of(act.time);
        let object = match &act.object {
            Object::Path(path) | Object::Operation { path, .. } | Object::Cgroup(path) => path.as_str(),
            Object::Destination { .. } => "",
        };
        let mut granted = false;
        let mut fresh = false;
        match act.why {
            Why::Program => fresh = self.model.observe_program(object, &act.exe, now),
            Why::Capability => {
                let names = self.directory.capabilities(act.capabilities);
                for name in names.into_iter().filter(|name| !is_programs(name)) {
                    granted |= self.model.observe(&name, act.access, &act.exe, object, now);
                }
            }
            _ => {}
        }
        if granted || fresh {
            self.save_or_tell();
        } else {
            self.unsaved = true;
        }
        if granted {
            self.publish();
        }
        answer(Ok(()))
    }
}

impl Handler<Enter> for Learner {
    type Result = AtomicResponse<Learner, Result<(), String>>;

    fn handle(&mut self, Enter(state): Enter, _: &mut Context<Learner>) -> Self::Result {
        AtomicResponse::new(self.enter(state))
    }
}

impl Handler<Show> for Learner {
    type Result = MessageResult<Show>;

    fn handle(&mut self, _: Show, _: &mut Context<Learner>) -> Self::Result {
        MessageResult(self.model.clone())
    }
}
