//! Services that were never seen on a host whose services are all active.

use std::collections::BTreeSet;

use actix::prelude::*;
use bpf::kernel::SeenService;
use policy::baseline;
use policy::selftest;

use super::Registry;
use crate::anomalies::Anomalies;
use crate::messages::{Newcomers, Put, Services};
use crate::record::{Kind, Record};

/// Services, with the rule that says that they are to be told.
type Told = Vec<(String, Option<String>)>;

/// Whether a service of this name has a model.
pub(super) fn has_model(service: &str) -> bool {
    !baseline::is_exempt(service) && service != selftest::SERVICE
}

impl Registry {
    /// Gives every service a learner that runs and has none, and `also` this one; tells those that come late.
    pub(super) fn look(&mut self, also: Option<String>) -> ResponseActFuture<Registry, ()> {
        let Some(kernel) = self.directory.kernel() else { return Box::pin(fut::ready(())) };
        let seen = kernel.send(Services).into_actor(self).map(|answer, registry, _| {
            let seen = answer.ok().and_then(Result::ok).unwrap_or_default();
            // Rules by slice say what becomes of those that are new.
            registry.place(&seen);
            seen
        });
        let told = seen.then(|seen, registry, _| {
            // A rule or the baseline gives numbers to services that may never run here.
            let running: Vec<SeenService> = seen.into_iter().filter(|service| service.running).collect();
            let names = running.iter().map(|service| service.name.clone()).chain(also).collect();
            registry.told(names).into_actor(registry).map(|(fresh, told), _, _| (running, fresh, told))
        });
        Box::pin(told.map(|(running, fresh, told), registry, _| {
            for (service, _) in told {
                if let Err(error) = Anomalies::read(registry.store.beside(&service)).told_newcomer() {
                    tracing::error!("{error}");
                }
                registry.late.insert(service);
            }
            fresh.iter().for_each(|service| registry.ensure(service));
            running.iter().for_each(|service| registry.is_there(service));
        }))
    }

    /// Those of these services that have no learner yet, and those among them that are on record as new.
    fn told(&self, services: Vec<String>) -> impl Future<Output = (BTreeSet<String>, Told)> + use<> {
        let (late, directory) = (self.late.clone(), self.directory.clone());
        async move {
            let unknown = |name: &String| has_model(name) && directory.learner(name).is_none();
            let fresh: BTreeSet<String> = services.into_iter().filter(unknown).collect();
            let told = match directory.keeper().filter(|_| !fresh.is_empty()) {
                Some(keeper) => keeper.send(Newcomers { seen: fresh.clone(), late }).await.unwrap_or_default(),
                None => Vec::new(),
            };
            for (service, rule) in &told {
                if let Err(error) = tell(&directory, service, rule.clone()).await {
                    tracing::error!("that {service} is new on this host is not recorded: {error}");
                }
            }
            (fresh, told)
        }
    }
}

async fn tell(directory: &crate::directory::Directory, service: &str, rule: Option<String>) -> Result<(), String> {
    let message = format!("Service {service} was never seen on this host, whose services are all active");
    let record = Record {
        service: Some(service.to_owned()),
        verdict: Some("audit".to_owned()),
        rule,
        ..Record::plain(Kind::Service, message)
    };
    let audit = directory.audit().ok_or("the audit log has not started")?;
    audit.send(Put(Box::new(record))).await.map_err(|error| error.to_string())?
}
