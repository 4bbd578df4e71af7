//! What other hosts know of the service.

use actix::prelude::*;
use policy::knowledge::gains;

use super::Learner;
use crate::assemble::service_model;
use crate::messages::{Join, ModelChanged};
use crate::record::Kind;

/// Most things that one record names.
const NAMED: usize = 20;

impl Handler<Join> for Learner {
    type Result = AtomicResponse<Learner, Result<Vec<String>, String>>;

    fn handle(&mut self, Join { known, by }: Join, context: &mut Context<Learner>) -> Self::Result {
        let gained = gains(&self.model.knowledge(), &known);
        self.model.join(&known);
        if !gained.is_empty() {
            let service = &self.model.service;
            let message = format!("The model of {service} gains by import, by {by}: {}", in_words(&gained));
            self.directory.tell(Kind::Lifecycle, Some(service), message);
        }
        if let Err(error) = self.save() {
            self.unsaved = true;
            self.rouse(context);
            return AtomicResponse::new(Box::pin(fut::ready(Err(error))));
        }
        let Some(keeper) = self.directory.keeper() else {
            return AtomicResponse::new(Box::pin(fut::ready(Err("the policy keeper has not started".to_owned()))));
        };
        let asked = keeper.send(ModelChanged(service_model(&self.model))).into_actor(self);
        AtomicResponse::new(Box::pin(asked.map(move |answer, _, _| {
            answer.map_err(|error| error.to_string()).and_then(|result| result).map(|()| gained)
        })))
    }
}

fn in_words(gained: &[String]) -> String {
    let named = gained.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    match gained.len().checked_sub(NAMED).filter(|more| *more > 0) {
        Some(more) => format!("{named}; and {more} more"),
        None => named,
    }
}
