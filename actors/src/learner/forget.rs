//! The end of a model that nobody would miss. Names of transient units may never come again, and each would keep a learner
//! and its files.

use actix::prelude::*;
use policy::model::State;

use super::Learner;
use crate::clock::rfc3339;
use crate::directory::Directory;
use crate::messages::{Dismiss, Forget, ShowUnmissed};
use crate::record::Kind;
use crate::registry::child;

/// Archived models of services that were still learning that are kept.
pub const KEPT: usize = 1000;

impl Learner {
    /// What learned, and is gone, would learn: without its model it permits what it permitted with it.
    fn unmissed(&self) -> Option<i64> {
        let learned = self.model.returns_to.unwrap_or_default() == State::Learning;
        (self.model.state == State::Archived && learned).then_some(self.model.since)
    }
}

impl Handler<ShowUnmissed> for Learner {
    type Result = Option<i64>;

    fn handle(&mut self, _: ShowUnmissed, _: &mut Context<Learner>) -> Self::Result {
        self.unmissed()
    }
}

impl Handler<Forget> for Learner {
    type Result = ();

    fn handle(&mut self, _: Forget, context: &mut Context<Learner>) {
        // Its unit may have come back meanwhile.
        let (Some(since), Some(root)) = (self.unmissed(), self.directory.root()) else { return };
        let service = self.model.service.clone();
        // Root hears of it before it hears that the learner is gone, and does not build it anew.
        if let Err(error) = root.try_send(Dismiss(child(&service))) {
            return tracing::error!("{service} is forgotten another time: {error}");
        }
        if let Err(error) = self.store.remove(&service) {
            tracing::error!("{service} is forgotten, and would be back with the next start: {error}");
        }
        let why = format!(
            "Service {service} is forgotten: it was learning when it was archived at {}, and {KEPT} such models are newer",
            rfc3339(since)
        );
        self.directory.tell(Kind::Lifecycle, Some(&service), why);
        self.directory.remove_learner(&service, &context.address());
        context.stop();
    }
}

/// Has the oldest of these learners forget theirs, so that `kept` stay.
pub async fn forget_beyond(kept: usize, archived: Vec<String>, directory: &Directory) {
    if archived.len() <= kept {
        return;
    }
    let mut unmissed = Vec::new();
    for learner in archived.iter().filter_map(|service| directory.learner(service)) {
        if let Ok(Some(since)) = learner.send(ShowUnmissed).await {
            unmissed.push((since, learner));
        }
    }
    unmissed.sort_unstable_by_key(|(since, _)| std::cmp::Reverse(*since));
    for (_, learner) in unmissed.into_iter().skip(kept) {
        // One that is busy or gone is asked with the next round.
        let _ = learner.send(Forget).await;
    }
}
