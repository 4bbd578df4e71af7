//! The lockout proof: for policies before they count, and for services before they become active.

use std::collections::BTreeMap;

use actix::prelude::*;
use policy::compile::ServiceModel;
use policy::compiled::Compiled;
use policy::lockout;
use policy::model::State;
use policy::place::Problem;
use policy::rule::Policy;

use super::PolicyKeeper;
use crate::assemble;
use crate::clock;
use crate::messages::ShowHeldBack;
use crate::record::Kind;

impl PolicyKeeper {
    /// What a service could not do any more under a policy: now, or once rules of it that permit it have ended.
    pub(super) fn locked_out(&self, policy: &Policy, compiled: &Compiled) -> Result<Vec<(String, Problem)>, String> {
        let (host, now, mounts) = (self.host.name(), clock::now_ms(), self.host.mounts());
        let proof = |at: i64, compiled: &Compiled| lockout::proof(&policy.holding(&host, at), compiled, &mounts);
        let mut found = proof(now, compiled);
        let known = found.clone();
        for (end, rules) in lockout::ends(policy, now) {
            let later = assemble::revision(policy, &self.services, &self.operators, self.host.as_ref(), end)?;
            let when = format!("From {} on, when \"{}\" has ended, ", clock::rfc3339(end), rules.join("\", \""));
            let fresh = proof(end, &later).into_iter().filter(|one| !known.contains(one));
            found.extend(fresh.map(|(service, problem)| {
                let message = format!("{when}{}", problem.message);
                (service, Problem { message, ..problem })
            }));
        }
        Ok(found)
    }

    /// Takes over a model, unless it makes a service active that would then be refused what the lockout proof protects: the
    /// same proof as before a revision counts. Returns the model before.
    pub(super) fn take(&mut self, model: &ServiceModel) -> Result<Option<ServiceModel>, String> {
        let before = self.services.insert(model.name.clone(), model.clone());
        let was_active = before.as_ref().is_some_and(|before| before.state == State::Active);
        if model.state == State::Manual {
            // Nobody wants it to be active now.
            self.held_back.remove(&model.name);
        }
        // What it learns meanwhile does not say yet that it may become active.
        if model.state != State::Active || was_active {
            return Ok(before);
        }
        let Some(why) = self.locked_out_by(&model.name) else {
            self.held_back.remove(&model.name);
            return Ok(before);
        };
        match before {
            Some(before) => self.services.insert(model.name.clone(), before),
            None => self.services.remove(&model.name),
        };
        let message = format!("Service {} is not made active, and learns on: {why}", model.name);
        if self.held_back.insert(model.name.clone(), why).is_none_or(|known| !message.ends_with(&known)) {
            self.directory.tell(Kind::Lifecycle, Some(&model.name), message.clone());
        }
        Err(message)
    }

    /// What an active service would be refused that it must not be.
    pub(super) fn locked_out_by(&self, name: &str) -> Option<String> {
        if !lockout::protects(name) {
            return None;
        }
        // Where it cannot be compiled, that is told when it is to be installed.
        let compiled = self.strict(&self.policy).ok()?;
        let found = self.locked_out(&self.policy, &compiled).ok()?;
        let mut of_it = found.into_iter().filter(|(service, _)| service == name).map(|(_, problem)| problem);
        of_it.next().map(|problem| problem.to_string())
    }
}

impl Handler<ShowHeldBack> for PolicyKeeper {
    type Result = MessageResult<ShowHeldBack>;

    fn handle(&mut self, _: ShowHeldBack, _: &mut Context<PolicyKeeper>) -> Self::Result {
        let held_back: BTreeMap<String, String> = self.held_back.clone();
        MessageResult(held_back)
    }
}
