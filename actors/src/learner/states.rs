//! Where a service stands: every change is on disk, in the kernel and on record, or not made.

use std::time::{Duration, Instant};

use actix::prelude::*;
use policy::maturity::{Progress, in_words};
use policy::model::State;

use super::Learner;
use crate::assemble::service_model;
use crate::clock;
use crate::messages::{Enter, ModelChanged, ShowState, UnitNow};
use crate::record::Kind;

impl Learner {
    /// Moves to a state, in the kernel and on disk, or stays where it is. The kernel comes first: what it does not take, as
    /// somebody would be locked out, must not be found on disk by the next boot.
    pub(super) fn enter(&mut self, state: State, why: String) -> ResponseActFuture<Learner, Result<(), String>> {
        let Some(keeper) = self.directory.keeper() else {
            return Box::pin(fut::ready(Err("the policy keeper has not started".to_owned())));
        };
        // What comes from now on counts for the other state.
        self.advance();
        let mut wanted = self.model.clone();
        wanted.enter(state, clock::now_ms());
        let asked = keeper.send(ModelChanged(service_model(&wanted)));
        Box::pin(asked.into_actor(self).map(move |answer, learner, context| {
            // Whatever becomes of it: the time until now was counted, which is to be kept.
            learner.rouse(context);
            answer.map_err(|error| error.to_string()).and_then(|result| result)?;
            let before = std::mem::replace(&mut learner.model, wanted);
            // What it has learned meanwhile stays.
            learner.model.join(&before.knowledge());
            if let Err(error) = learner.save() {
                learner.model = before;
                learner.publish();
                return Err(error);
            }
            let service = learner.model.service.clone();
            learner.directory.tell(
                Kind::Lifecycle,
                Some(&service),
                format!("Service {service} is {}: {why}", state.name()),
            );
            if learner.learns()
                && let Err(error) = learner.anomalies.forget_programs()
            {
                tracing::error!("{error}");
            }
            learner.rouse(context);
            Ok(())
        }))
    }

    /// The same without anybody who waits for the answer.
    pub(super) fn go(&mut self, state: State, why: String, context: &mut Context<Learner>) {
        let entered = self.enter(state, why);
        context.wait(entered.map(move |result, learner, _| {
            if let Err(error) = result {
                learner.refused = Some(Instant::now());
                let service = &learner.model.service;
                tracing::error!("{service} ought to be {} and cannot: {error}", state.name());
            }
        }));
    }

    /// An archived service is back: it stands where it stood, or learns if it may not be active again.
    pub(super) fn come_back(&mut self, context: &mut Context<Learner>) {
        if self.pauses() {
            return;
        }
        let state = self.model.returns_to.unwrap_or_default();
        let entered =
            self.enter(state, "its unit is there, and it stands where it stood before it was archived".to_owned());
        context.wait(entered.map(move |result, learner, context| {
            let Err(error) = result else { return };
            learner.refused = Some(Instant::now());
            let service = &learner.model.service;
            tracing::error!("{service} ought to be {} again and cannot: {error}", state.name());
            if state == State::Active {
                let why = format!("its unit is there, and it cannot be active as before it was archived: {error}");
                learner.go(State::Learning, why, context);
            }
        }));
    }

    /// What kept a learning service from being active is there.
    pub(super) fn graduate(&mut self, context: &mut Context<Learner>) {
        if !self.is_mature() {
            return;
        }
        let known = self.losses_are_known().into_actor(self);
        context.wait(known.map(|known, learner, context| {
            if known && learner.is_mature() {
                learner.be_active(context);
            }
        }));
    }

    pub(super) fn is_mature(&self) -> bool {
        self.model.state == State::Learning && self.maturity().waits_for.is_empty()
    }

    fn be_active(&mut self, context: &mut Context<Learner>) {
        let maturity = self.maturity();
        let seen: Vec<&str> = maturity.seen.iter().map(|phase| phase.name()).collect();
        let seen = if seen.is_empty() { String::new() } else { format!(" and saw {}", seen.join(", ")) };
        let why = format!(
            "it has learned for {}{seen}, and nothing was new for {}",
            in_words(maturity.learned),
            in_words(maturity.quiet)
        );
        self.go(State::Active, why, context);
    }
}

impl Handler<Enter> for Learner {
    type Result = AtomicResponse<Learner, Result<(), String>>;

    fn handle(&mut self, Enter { state, by }: Enter, _: &mut Context<Learner>) -> Self::Result {
        // One whose return was refused is there.
        if self.model.state == State::Archived && self.refused.is_none() {
            let back = self.model.returns_to.unwrap_or_default().name();
            let why = format!("its unit is gone, and its model is archived: it is {back} again when the unit is back");
            return AtomicResponse::new(Box::pin(fut::ready(Err(why))));
        }
        // Whatever was lost, a person decides.
        self.directory.holds().release(&self.model.service);
        AtomicResponse::new(self.enter(state, format!("by {by}")))
    }
}

impl Handler<ShowState> for Learner {
    type Result = MessageResult<ShowState>;

    fn handle(&mut self, _: ShowState, _: &mut Context<Learner>) -> Self::Result {
        MessageResult(self.model.state)
    }
}

impl Handler<UnitNow> for Learner {
    type Result = ();

    fn handle(&mut self, now: UnitNow, context: &mut Context<Learner>) {
        let UnitNow { running, earlier, units, file } = now;
        let now = clock::moment();
        self.advance();
        let held = self.held().is_some();
        let progress = &mut self.model.progress;
        let here = running || file || units.as_ref().is_none_or(|units| units.iter().any(|unit| unit.loaded));
        let gone = progress.gone(here);
        match self.model.state {
            // Without an answer of systemd only a service that runs is known to be there.
            State::Archived if here && (running || units.is_some()) => self.come_back(context),
            State::Archived => {}
            _ if gone > Duration::ZERO && gone >= self.terms.archive_after => {
                let why = format!("its unit has been gone for {}; its model is kept", in_words(gone.as_secs()));
                self.refused = None;
                self.go(State::Archived, why, context);
            }
            State::Learning | State::Manual => {
                let terms = &self.terms.graduation;
                let look = if held { Progress::look_away } else { Progress::look };
                if units.is_some_and(|units| look(progress, &units, earlier, terms, &now)) {
                    self.save_or_tell();
                }
            }
            State::Active => {}
        }
        self.rouse(context);
    }
}
