//! Whether a service that was never seen before is to be told.

use std::collections::BTreeSet;

use actix::prelude::*;
use policy::compile::anomalous;
use policy::model::State;

use super::{PolicyKeeper, Services};
use crate::clock;
use crate::messages::Newcomers;

impl Handler<Newcomers> for PolicyKeeper {
    type Result = Vec<(String, Option<String>)>;

    fn handle(&mut self, Newcomers { seen, late }: Newcomers, _: &mut Context<PolicyKeeper>) -> Self::Result {
        if !all_active(&self.services, &late) {
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

/// Whether every service is active or gone, but for those that came late: they learn, and would let the next one pass unseen.
fn all_active(services: &Services, late: &BTreeSet<String>) -> bool {
    let settled = |state: State| matches!(state, State::Active | State::Archived);
    services.values().any(|one| one.state == State::Active)
        && services.values().all(|one| settled(one.state) || late.contains(&one.name))
}

#[cfg(test)]
mod tests {
    use policy::capability::Grants;
    use policy::compile::ServiceModel;

    use super::*;

    #[test]
    fn those_that_came_late_are_not_waited_for() {
        let services = |states: &[(&str, State)]| -> Services {
            let one = |(name, state): &(&str, State)| ServiceModel {
                name: (*name).to_owned(),
                state: *state,
                granted: Grants::new(),
                at_start: Grants::new(),
            };
            states.iter().map(one).map(|model| (model.name.clone(), model)).collect()
        };
        let late = BTreeSet::from(["late".to_owned()]);
        assert!(!all_active(&services(&[]), &late), "a host on which nothing was seen yet");
        assert!(!all_active(&services(&[("late", State::Learning)]), &late));
        assert!(all_active(&services(&[("web", State::Active), ("late", State::Learning)]), &late));
        assert!(all_active(&services(&[("web", State::Active), ("old", State::Archived)]), &late));
        for state in [State::Learning, State::Manual] {
            assert!(!all_active(&services(&[("web", State::Active), ("db", state)]), &late));
        }
    }
}
