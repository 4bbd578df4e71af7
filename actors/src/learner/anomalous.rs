//! Programs that an active service never ran.

use std::sync::Arc;

use actix::prelude::*;
use bpf::event::{Act, Object};
use policy::model::State;

use super::Learner;
use crate::anomalies::{Novelty, knows};
use crate::clock;
use crate::messages::{Put, Running, Violations};
use crate::record::{Kind, Record};

pub(super) type Answer = AtomicResponse<Learner, Result<(), String>>;

/// Nothing, or why it is to be asked again.
pub(super) fn answer(result: Result<(), String>) -> Answer {
    AtomicResponse::new(Box::pin(fut::ready(result)))
}

impl Handler<Running> for Learner {
    type Result = ();

    fn handle(&mut self, Running(programs): Running, context: &mut Context<Learner>) {
        if matches!(self.model.state, State::Learning | State::Manual) {
            let now = clock::now_ms();
            for program in programs.iter().filter(|program| !knows(&self.model, program)).collect::<Vec<_>>() {
                self.unsaved |= self.model.observe_program(&self.host, program, "", now);
            }
            self.rouse(context);
        }
    }
}

impl Learner {
    /// Tells a program of an active service, if it never ran it. An error: it is to be told again.
    pub(super) fn anomalous(&mut self, act: Act) -> Answer {
        let Object::Path(path) = &act.object else { return answer(Ok(())) };
        if knows(&self.model, path) {
            return answer(Ok(()));
        }
        match self.anomalies.program(path) {
            Novelty::Old => answer(Ok(())),
            Novelty::Beyond => {
                self.anomalies.count_beyond();
                answer(Ok(()))
            }
            Novelty::New => {
                let Some(audit) = self.directory.audit() else {
                    return answer(Err("the audit log has not started".to_owned()));
                };
                let path = path.clone();
                let told = audit.send(Violations(Arc::new(vec![act]))).into_actor(self);
                AtomicResponse::new(Box::pin(told.map(move |answer, learner, _| {
                    answer.map_err(|error| error.to_string())??;
                    learner.anomalies.told_program(&path)
                })))
            }
        }
    }

    /// Tells how many programs there were beyond those that have a record of their own.
    pub(super) fn tell_the_rest(&mut self, context: &mut Context<Learner>) {
        if let Err(error) = self.anomalies.keep_count() {
            tracing::error!("a count of programs is kept in memory: {error}");
        }
        let (due, audit) = (self.anomalies.due(), self.directory.audit());
        let Some(audit) = audit.filter(|_| due > 0) else { return };
        let service = self.model.service.clone();
        let message =
            format!("Service {service} ran more programs that it never ran before than are recorded one by one");
        let record = Record { service: Some(service.into()), count: due, ..Record::plain(Kind::Flood, message) };
        context.wait(audit.send(Put(Box::new(record))).into_actor(self).map(move |answer, learner, _| {
            let told = answer.map_err(|error| error.to_string()).and_then(|result| result);
            if let Err(error) = told.and_then(|()| learner.anomalies.told_beyond(due)) {
                tracing::error!("a count of programs has to wait: {error}");
            }
        }));
    }
}
