//! Services that have been seen in another slice: rules that name slices may say something else about them.

use std::collections::BTreeMap;

use actix::prelude::*;
use policy::matching::Matching;
use policy::slice::Slices;

use super::PolicyKeeper;
use crate::messages::Placed;
use crate::record::Kind;

impl PolicyKeeper {
    /// Rules by slice go on as if a service had not moved, where it would be refused what the lockout proof protects.
    fn stay_where_nobody_is_locked_out(&mut self, moved: &[String], was: &Slices) {
        for service in moved {
            let before = std::mem::replace(&mut self.policy.slices, self.placement.slices().clone());
            let why = self.locked_out_by(service);
            self.policy.slices = before;
            let Some(why) = why else { continue };
            let (now, old) = (self.placement.slices().of(service).into_owned(), was.of(service).into_owned());
            self.placement.put(BTreeMap::from([(service.clone(), old.clone())]));
            let message = format!(
                "Service {service} has moved to {now}.slice, and rules go on as if it were in {old}.slice, or people would be locked out: {why}"
            );
            self.directory.tell(Kind::Lifecycle, Some(service), message);
        }
    }

    /// Whether the rules say the same about these services, wherever they are by either of two tables.
    fn same_rules(&self, services: &[String], before: &Slices) -> bool {
        let matching = Matching::new(&self.policy);
        let of = |slices: &Slices, service: &String| matching.of_one_in(service, &slices.of(service));
        services.iter().all(|service| of(before, service) == of(&self.policy.slices, service))
    }
}

impl Handler<Placed> for PolicyKeeper {
    type Result = ();

    fn handle(&mut self, Placed(seen): Placed, context: &mut Context<PolicyKeeper>) {
        let was = self.placement.slices().clone();
        let mut moved = self.placement.put(seen);
        if moved.is_empty() {
            return;
        }
        self.stay_where_nobody_is_locked_out(&moved, &was);
        if let Err(error) = self.placement.write() {
            tracing::error!("where services are cannot be kept for the next boot: {error}");
        }
        let before = std::mem::replace(&mut self.policy.slices, self.placement.slices().clone());
        // One that is new is compiled with its model.
        moved.retain(|service| self.services.contains_key(service));
        if !self.same_rules(&moved, &before) {
            self.soon(context);
        }
    }
}
