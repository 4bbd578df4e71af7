//! Revisions: made, confirmed, taken back, shown.

use actix::prelude::*;
use bpf::kernel::Installation;
use policy::capability::remembered;
use policy::diff::{Difference, Side, differences};
use policy::rule::Policy;

use super::PolicyKeeper;
use crate::deadline::Deadline;
use crate::messages::{
    Applied, Apply, Compare, Confirm, History, Install, Revert, RevisionNumber, ShowHistory, ShowRevision,
};
use crate::record::Kind;
use crate::revision_store::{Pending, Revision};

type Told<T> = AtomicResponse<PolicyKeeper, Result<T, Vec<String>>>;

fn failed<T: 'static>(lines: Vec<String>) -> Told<T> {
    AtomicResponse::new(Box::pin(fut::ready(Err(lines))))
}

impl PolicyKeeper {
    /// A revision that nobody confirmed in time does not stay.
    pub(super) fn end_of_waiting(&mut self, context: &mut Context<PolicyKeeper>) {
        if self.store.pending().is_some_and(|pending| pending.until.left().is_none()) {
            context.notify(Revert { by: None });
        }
    }

    /// The revision of an application, on disk; if it is to be confirmed, as one that waits.
    fn made(&self, apply: Apply, policy: &Policy) -> Result<Revision, String> {
        let bits = remembered(&self.revision.bits, &policy.catalogue.bits());
        let mut revision = Revision::new(self.store.next(), apply.files, bits, &apply.by);
        (revision.why, revision.back_to) = (apply.why, apply.back_to);
        let number = revision.number;
        let told = |error| format!("revision {number} cannot be written: {error}");
        self.store.save(&revision).map_err(told)?;
        if let Some(time) = apply.confirm {
            self.store.wait_for(&Pending { number, until: Deadline::after(time) }).map_err(told)?;
        }
        Ok(revision)
    }

    /// Takes over what the kernel holds now.
    fn taken_over(&mut self, revision: Revision, policy: Policy, waits: bool) -> Result<u64, String> {
        let number = revision.number;
        let mut message = format!("Revision {number} is in force, applied by {}", revision.by);
        if let Some(before) = revision.back_to {
            message += &format!(", which goes back to revision {before}");
        }
        if let Some(why) = &revision.why {
            message += &format!(": {why}");
        }
        if waits {
            message += "; it has to be confirmed";
        }
        (self.policy, self.revision, self.broken, self.paths) = (policy, revision, None, None);
        if !waits {
            let told = |error| format!("revision {number} counts now, but not after a restart: {error}");
            self.store.activate(number).map_err(told)?;
        }
        self.directory.tell(Kind::Lifecycle, None, message);
        Ok(number)
    }
}

impl Handler<Apply> for PolicyKeeper {
    type Result = Told<Applied>;

    fn handle(&mut self, apply: Apply, _: &mut Context<PolicyKeeper>) -> Self::Result {
        if let Some(pending) = self.store.pending() {
            let line = format!(
                "revision {} waits to be confirmed: `bartizan policy confirm` keeps it, `bartizan policy rollback` takes it back",
                pending.number
            );
            return failed(vec![line]);
        }
        let (policy, compiled) = match self.read(&apply.files) {
            Ok(read) => read,
            Err(lines) => return failed(lines),
        };
        // Before anything is written: what nobody can install must not wait to be confirmed.
        let Some(kernel) = self.directory.kernel() else {
            return failed(vec!["enforcement has not started".to_owned()]);
        };
        let waits = apply.confirm.is_some();
        let revision = match self.made(apply, &policy) {
            Ok(revision) => revision,
            Err(error) => return failed(vec![error]),
        };
        // The kernel may tell of an act under the new bits before it is answered.
        self.directory.set_bits(revision.bits.clone());
        let asked = kernel.send(Install { revision: revision.number, compiled }).into_actor(self);
        AtomicResponse::new(Box::pin(asked.map(move |answer, keeper, _| {
            match answer.map_err(|error| error.to_string()).and_then(|result| result) {
                Ok(Installation { entries, written, .. }) => {
                    let revision = keeper.taken_over(revision, policy, waits).map_err(|error| vec![error])?;
                    Ok(Applied { revision, entries, written })
                }
                Err(error) => {
                    keeper.directory.set_bits(keeper.revision.bits.clone());
                    let mut lines = vec![error];
                    lines.extend(keeper.store.settled().err().map(|error| error.to_string()));
                    Err(lines)
                }
            }
        })))
    }
}

impl Handler<Confirm> for PolicyKeeper {
    type Result = Result<u64, Vec<String>>;

    fn handle(&mut self, confirm: Confirm, _: &mut Context<PolicyKeeper>) -> Self::Result {
        let waits = self.store.pending().filter(|pending| pending.number == self.revision.number);
        let Some(pending) = waits else { return Err(vec!["no revision waits to be confirmed".to_owned()]) };
        let told = |error: std::io::Error| vec![format!("revision {} cannot be kept: {error}", pending.number)];
        self.store.activate(pending.number).map_err(told)?;
        self.store.settled().map_err(told)?;
        let message = format!("Revision {} is confirmed by {}", pending.number, confirm.by);
        self.directory.tell(Kind::Lifecycle, None, message);
        Ok(pending.number)
    }
}

impl Handler<Revert> for PolicyKeeper {
    type Result = Told<u64>;

    fn handle(&mut self, revert: Revert, _: &mut Context<PolicyKeeper>) -> Self::Result {
        let Some(pending) = self.store.pending() else {
            return failed(vec!["no revision waits to be confirmed".to_owned()]);
        };
        let (before, _) = match self.store.last_good() {
            Ok(found) => found,
            Err(error) => return failed(vec![error]),
        };
        let before = before.unwrap_or_default();
        // It counted before, so it is not asked again whether it locks anybody out.
        let policy = match self.parse(&before.files, &before.bits) {
            Ok(policy) => policy,
            Err(problems) => return failed(problems.iter().map(ToString::to_string).collect()),
        };
        let compiled = match self.compile(&policy) {
            Ok(compiled) => compiled,
            Err(error) => return failed(vec![error]),
        };
        let Some(kernel) = self.directory.kernel() else {
            return failed(vec!["enforcement has not started".to_owned()]);
        };
        let asked = kernel.send(Install { revision: before.number, compiled }).into_actor(self);
        AtomicResponse::new(Box::pin(asked.map(move |answer, keeper, _| {
            let held = answer.map_err(|error| error.to_string()).and_then(|result| result);
            held.map_err(|error| {
                tracing::error!("revision {} does not go back, which is tried again: {error}", pending.number);
                vec![error]
            })?;
            let number = before.number;
            keeper.directory.set_bits(before.bits.clone());
            (keeper.policy, keeper.revision, keeper.broken, keeper.paths) = (policy, before, None, None);
            keeper.store.settled().map_err(|error| vec![error.to_string()])?;
            let why = revert
                .by
                .map_or_else(|| "was not confirmed in time".to_owned(), |by| format!("was taken back by {by}"));
            let message = format!("Revision {number} is in force again: revision {} {why}", pending.number);
            keeper.directory.tell(Kind::Lifecycle, None, message);
            Ok(number)
        })))
    }
}

impl Handler<RevisionNumber> for PolicyKeeper {
    type Result = u64;

    fn handle(&mut self, _: RevisionNumber, _: &mut Context<PolicyKeeper>) -> u64 {
        self.revision.number
    }
}

impl Handler<ShowRevision> for PolicyKeeper {
    type Result = Result<Revision, String>;

    fn handle(&mut self, ShowRevision(number): ShowRevision, _: &mut Context<PolicyKeeper>) -> Self::Result {
        match number {
            Some(number) => self.store.load(number),
            None => Ok(self.revision.clone()),
        }
    }
}

impl Handler<ShowHistory> for PolicyKeeper {
    type Result = MessageResult<ShowHistory>;

    fn handle(&mut self, _: ShowHistory, _: &mut Context<PolicyKeeper>) -> Self::Result {
        let (revisions, wrong) = self.store.all();
        let left = |pending: Pending| (pending.number, pending.until.left().map_or(0, |left| left.as_secs() + 1));
        let pending = self.store.pending().map(left);
        MessageResult(History { revisions, wrong, in_force: self.revision.number, pending })
    }
}

impl Handler<Compare> for PolicyKeeper {
    type Result = Result<Vec<Difference>, Vec<String>>;

    fn handle(&mut self, Compare { files }: Compare, _: &mut Context<PolicyKeeper>) -> Self::Result {
        let (policy, compiled) = self.read(&files)?;
        let now = self.compile(&self.policy).map_err(|error| vec![error])?;
        let before = Side { policy: &self.policy, compiled: &now };
        Ok(differences(before, Side { policy: &policy, compiled: &compiled }))
    }
}
