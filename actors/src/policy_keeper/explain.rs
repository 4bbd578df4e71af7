//! What would become of an act, and why.

use std::path::Path;

use actix::prelude::*;
use policy::access::Access;
use policy::compile::service;
use policy::reason::reason;

use super::PolicyKeeper;
use crate::clock;
use crate::messages::{Explain, Explanation};
use crate::object;

impl Handler<Explain> for PolicyKeeper {
    type Result = Result<Explanation, Vec<String>>;

    fn handle(&mut self, asked: Explain, _: &mut Context<PolicyKeeper>) -> Self::Result {
        self.explain(asked).map_err(|error| vec![error])
    }
}

impl PolicyKeeper {
    fn explain(&mut self, Explain { service: name, access, object }: Explain) -> Result<Explanation, String> {
        let paths = match self.paths.take() {
            Some(paths) => paths,
            None => self.compile(&self.policy)?.paths(),
        };
        let paths = self.paths.insert(paths);
        let policy = self.policy.holding(&self.host.name(), clock::now_ms());
        let Some(model) = self.services.get(&name) else {
            return Err(format!("there is no service {name}; `bartizan services` lists those that are known"));
        };
        let mut held = service(&policy, model);
        self.permissive.loosen(&name, &mut held);
        let object = match access {
            Access::Operate => object::operation(&object, paths, &policy.catalogue)?,
            _ => object::path(Path::new(&object), access, paths, &policy.catalogue, self.host.as_ref())?,
        };
        let mut reason = reason(&policy, &name, &held, &object.need, access);
        if object.own && access == Access::Write && !held.exempt && !self.operators.contains(&name) {
            "deny".clone_into(&mut reason.verdict);
            "it is Bartizan's own, which no service may write".clone_into(&mut reason.because);
            (reason.nearest, reason.learned) = (None, false);
        }
        let granted = policy.catalogue.masks(&model.granted).get(access) & object.need.get(access);
        let by_model = policy.catalogue.names(granted);
        Ok(Explanation {
            permissive: self.permissive.services().contains(name.as_str()),
            service: name,
            state: model.state.name().to_owned(),
            access,
            object: object.name,
            from: object.from,
            unknown: object.unknown,
            by_model: by_model.into_iter().map(|one| format!("{one}.{}", access.name())).collect(),
            reason,
        })
    }
}
