//! What would become of an act, and why.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use actix::prelude::*;
use bpf::other_names::OtherNames;
use policy::access::Access;
use policy::compile::{self, ServiceModel};
use policy::reason::{of_connection, reason};

use super::PolicyKeeper;
use crate::clock;
use crate::messages::{Explain, Explanation, NamesOf};
use crate::object::{self, Object};

type Said = Result<Option<OtherNames>, String>;

impl Handler<Explain> for PolicyKeeper {
    type Result = ResponseActFuture<PolicyKeeper, Result<Explanation, Vec<String>>>;

    fn handle(&mut self, asked: Explain, _: &mut Context<PolicyKeeper>) -> Self::Result {
        if let (Access::Connect, Ok(to)) = (asked.access, asked.object.parse()) {
            return Box::pin(fut::ready(self.connection(asked.service, to).map_err(|error| vec![error])));
        }
        let object = match self.object(&asked) {
            Ok(object) => object,
            Err(error) => return Box::pin(fut::ready(Err(vec![error]))),
        };
        let (access, known) = (asked.access, object.need.get(asked.access));
        let path = (object.names > 0).then(|| PathBuf::from(&object.name));
        let kernel = self.directory.kernel();
        let said = async move {
            match (path, kernel) {
                (None, _) => Ok(None),
                (Some(_), None) => Err("enforcement has not started".to_owned()),
                (Some(path), Some(kernel)) => {
                    kernel.send(NamesOf { path, access, known }).await.map_err(|error| error.to_string())?
                }
            }
        };
        Box::pin(
            said.into_actor(self).map(|said, keeper, _| keeper.explain(asked, object, said).map_err(|one| vec![one])),
        )
    }
}

impl PolicyKeeper {
    /// What the act is aimed at, as far as names and the file itself say.
    fn object(&mut self, Explain { access, object, .. }: &Explain) -> Result<Object, String> {
        let paths = match self.paths.take() {
            Some(paths) => paths,
            None => self.compile(&self.policy)?.paths(),
        };
        let (paths, catalogue) = (self.paths.insert(paths), &self.policy.catalogue);
        match access {
            Access::Operate => object::operation(object, paths, catalogue),
            _ => object::path(Path::new(object), *access, paths, catalogue, self.host.as_ref()),
        }
    }

    fn known(&self, name: &str) -> Result<&ServiceModel, String> {
        let unknown = || format!("there is no service {name}; `bartizan services` lists those that are known");
        self.services.get(name).ok_or_else(unknown)
    }

    fn connection(&self, service: String, to: SocketAddr) -> Result<Explanation, String> {
        let model = self.known(&service)?;
        let policy = self.policy.holding(&self.host.name(), clock::now_ms());
        let exempt = compile::service(&policy, model).exempt;
        let permissive = self.permissive.services().contains(service.as_str());
        Ok(Explanation {
            permissive,
            state: model.state.name().to_owned(),
            access: Access::Connect,
            object: to.to_string(),
            from: Vec::new(),
            unknown: Vec::new(),
            by_model: Vec::new(),
            reason: of_connection(&policy, &service, exempt, permissive, to),
            service,
        })
    }

    fn explain(
        &self,
        Explain { service: name, access, .. }: Explain,
        mut object: Object,
        said: Said,
    ) -> Result<Explanation, String> {
        let policy = self.policy.holding(&self.host.name(), clock::now_ms());
        let model = self.known(&name)?;
        let mut held = compile::service(&policy, model);
        self.permissive.loosen(&name, &mut held);
        object.other_names(&policy.catalogue, access, said);
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
