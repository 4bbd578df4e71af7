//! Services that have been seen in another slice: rules that name slices may say something else about them.

use actix::prelude::*;
use policy::matching::Matching;
use policy::slice::Slices;

use super::PolicyKeeper;
use crate::messages::Placed;

impl PolicyKeeper {
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
        let mut moved = self.placement.put(seen);
        if moved.is_empty() {
            return;
        }
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
