//! Whether a service that was never seen before is to be told.

use actix::prelude::*;
use policy::compile::anomalous;
use policy::model::State;

use super::PolicyKeeper;
use crate::clock;
use crate::messages::Newcomers;

impl Handler<Newcomers> for PolicyKeeper {
    type Result = Vec<(String, Option<String>)>;

    fn handle(&mut self, Newcomers { seen, late }: Newcomers, _: &mut Context<PolicyKeeper>) -> Self::Result {
        // Those that came late are learning, and would let the next one pass unseen.
        let mut others = self.services.values().filter(|one| !seen.contains(&one.name) && !late.contains(&one.name));
        let armed = self.services.values().any(|one| one.state == State::Active)
            && others.all(|one| matches!(one.state, State::Active | State::Archived));
        if !armed {
            return Vec::new();
        }
        let policy = self.policy.holding(&self.host.name(), clock::now_ms());
        let told = seen.into_iter().filter(|name| !self.services.contains_key(name)).filter_map(|name| {
            let (recorded, rule) = anomalous(&policy, &name);
            let rule = rule.and_then(|rule| policy.rules.get(rule)).map(|rule| rule.name.clone());
            recorded.then_some((name, rule))
        });
        told.collect()
    }
}
