//! While evidence about a service is known to be lost it is held, where the operator wants that: it learns nothing, becomes
//! active by nobody's word but a person's, and what the kernel tells meanwhile waits.

use std::time::Duration;

use actix::prelude::*;
use bpf::event::{Act, Why};
use policy::decide::Verdict;
use policy::maturity::{Maturity, in_words};

use super::Learner;
use crate::clock;
use crate::messages::{CountNow, Heard, Put};
use crate::on_loss::OnLoss;
use crate::record::{Kind, Record};

/// Acts that wait while a service is held; the kernel tells no more distinct ones in a minute (`BZ_OBJECTS` in wire.h).
const WAITING_MAX: usize = 4096;

/// What the kernel told of a service that is held.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    acts: Vec<Act>,
    /// Acts for which there was no room.
    beyond: u64,
}

impl Waiting {
    /// Takes one in, or counts it.
    pub(super) fn put(&mut self, act: Act) {
        if self.acts.len() < WAITING_MAX {
            self.acts.push(act);
        } else {
            self.beyond += 1;
        }
    }

    /// Whether nothing waits, and nothing is to be told of what found no room.
    pub(super) fn is_empty(&self) -> bool {
        self.acts.is_empty() && self.beyond == 0
    }
}

impl Learner {
    /// For how much longer it is held, if it is.
    pub(super) fn held(&self) -> Option<Duration> {
        self.directory.holds().left(&self.model.service).filter(|_| self.learns())
    }

    /// Counts the time until now; not while it is held, and what is quiet is to be seen anew then.
    pub(super) fn advance(&mut self) {
        let now = clock::moment();
        if self.held().is_some() {
            self.unsaved |= self.model.progress.stand_still(&now);
        } else {
            self.model.progress.advance(self.model.state, &now);
        }
    }

    /// How far it has come.
    pub(super) fn maturity(&self) -> Maturity {
        let mut maturity = self.model.progress.maturity(self.model.state, &self.terms.graduation);
        if let Some(left) = self.held() {
            let left = in_words(left.as_secs().saturating_add(1));
            maturity.waits_for.push(format!("{left} without a loss of evidence, as it is held"));
        }
        maturity
    }

    /// Whether what the kernel told teaches something: also of a service that has become active since, what was started while
    /// it learned.
    pub(super) fn teaches(&self, act: &Act) -> bool {
        let late = act.why == Why::Program
            && act.verdict == Verdict::Allow
            && self.model.state != policy::model::State::Archived
            && clock::ms_of(act.time) < self.model.since;
        self.learns() || late
    }

    /// Learns what has waited, once it is held no longer.
    pub(super) fn take_up(&mut self, context: &mut Context<Learner>) {
        if self.held().is_some() {
            return;
        }
        let Waiting { acts, beyond } = std::mem::take(&mut self.waiting);
        for act in acts {
            if self.teaches(&act) {
                self.learn(&act);
            }
        }
        let Some(audit) = self.directory.audit().filter(|_| beyond > 0) else { return };
        let service = self.model.service.clone();
        let message = format!("Service {service} did more while it was held than was kept for it");
        let record = Record { service: Some(service.into()), count: beyond, ..Record::plain(Kind::Loss, message) };
        context.wait(audit.send(Put(Box::new(record))).into_actor(self).map(move |answer, learner, context| {
            if !matches!(answer, Ok(Ok(()))) {
                learner.waiting.beyond += beyond;
                learner.rouse(context);
            }
        }));
    }

    /// Whether all that was lost until now is known: the kernel's counts were read, and the audit log has taken them in.
    pub(super) fn losses_are_known(&self) -> impl Future<Output = bool> + use<> {
        let wanted = self.directory.holds().on_loss() == OnLoss::Hold;
        let (kernel, audit) = (self.directory.kernel(), self.directory.audit());
        async move {
            // Without a kernel nothing is observed.
            let Some(kernel) = kernel.filter(|_| wanted) else { return true };
            let Some(audit) = audit else { return false };
            matches!(kernel.send(CountNow).await, Ok(Ok(true))) && audit.send(Heard).await.is_ok()
        }
    }
}
