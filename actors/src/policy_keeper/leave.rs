//! Services that are refused nothing for a while.

use std::collections::BTreeMap;

use actix::prelude::*;

use super::{Answer, PolicyKeeper};
use crate::deadline::Deadline;
use crate::messages::{GiveLeave, Recompile, ShowLeave};
use crate::permissive::Leave;
use crate::record::Kind;

impl PolicyKeeper {
    pub(super) fn end_of_leave(&mut self, context: &mut Context<PolicyKeeper>) {
        let over = self.permissive.ended();
        if !over.is_empty() {
            context.notify(Recompile);
        }
        for service in over {
            let message = format!("Service {service} is no longer permissive: its time is over");
            self.directory.tell(Kind::Lifecycle, Some(&service), message);
        }
    }

    fn change_leave(&mut self, asked: GiveLeave) -> Result<String, String> {
        let GiveLeave { service, time, by } = asked;
        let told = |error: std::io::Error| format!("it cannot be kept for a restart, so nothing has changed: {error}");
        let Some(time) = time else {
            let had = self.permissive.take(&service).map_err(told)?;
            return if had {
                Ok(format!("Service {service} is no longer permissive: ended by {by}"))
            } else {
                Err(format!("{service} is not permissive"))
            };
        };
        if !self.services.contains_key(&service) {
            return Err(format!("there is no service {service}; `bartizan services` lists those that are known"));
        }
        let leave = Leave { until: Deadline::after(time), by: by.clone() };
        self.permissive.give(&service, leave).map_err(told)?;
        Ok(format!(
            "Service {service} is permissive for {} s, by {by}: what rules refuse is permitted and recorded",
            time.as_secs()
        ))
    }
}

impl Handler<GiveLeave> for PolicyKeeper {
    type Result = AtomicResponse<PolicyKeeper, Result<(), String>>;

    fn handle(&mut self, asked: GiveLeave, _: &mut Context<PolicyKeeper>) -> Self::Result {
        let (service, given) = (asked.service.clone(), asked.time.is_some());
        let changed = self.change_leave(asked);
        let answer: Answer = match changed {
            Ok(message) => Box::pin(self.install().map(move |held, keeper, _| {
                match &held {
                    Ok(()) => keeper.directory.tell(Kind::Lifecycle, Some(&service), message),
                    // What the kernel does not hold shall not come by itself later.
                    Err(_) if given => drop(keeper.permissive.take(&service)),
                    Err(_) => {}
                }
                held
            })),
            Err(error) => Box::pin(fut::ready(Err(error))),
        };
        AtomicResponse::new(answer)
    }
}

impl Handler<ShowLeave> for PolicyKeeper {
    type Result = MessageResult<ShowLeave>;

    fn handle(&mut self, _: ShowLeave, _: &mut Context<PolicyKeeper>) -> Self::Result {
        let left: BTreeMap<String, u64> = self.permissive.left();
        MessageResult(left)
    }
}
