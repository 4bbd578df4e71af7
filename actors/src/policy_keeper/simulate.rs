//! What other policy files would have refused of what services did.

use actix::prelude::*;
use policy::simulate::{Refused, simulate};

use super::PolicyKeeper;
use crate::clock;
use crate::messages::Simulate;

impl Handler<Simulate> for PolicyKeeper {
    type Result = Result<Vec<Refused>, Vec<String>>;

    fn handle(&mut self, asked: Simulate, _: &mut Context<PolicyKeeper>) -> Self::Result {
        let (policy, compiled) = self.read(&asked.files)?;
        let holding = policy.holding(&self.host.name(), clock::now_ms());
        Ok(simulate(&holding, &compiled, &self.host.mounts(), &asked.deeds))
    }
}
