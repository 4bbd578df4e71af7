//! Services that were never seen on a host whose services are all active.

use std::collections::BTreeSet;

use actix::prelude::*;
use policy::baseline;
use policy::selftest;

use super::Registry;
use crate::anomalies::Anomalies;
use crate::messages::{Newcomers, Put, Services};
use crate::record::{Kind, Record};

/// Whether a service of this name has a model.
pub(super) fn has_model(service: &str) -> bool {
    !baseline::is_exempt(service) && service != selftest::SERVICE
}

impl Registry {
    /// Gives every service a learner that runs and has none, and `also` this one; tells those that come late.
    pub(super) fn look(&mut self, also: Option<String>) -> ResponseActFuture<Registry, ()> {
        let Some(kernel) = self.directory.kernel() else { return Box::pin(fut::ready(())) };
        let (late, directory) = (self.late.clone(), self.directory.clone());
        let found = async move {
            // A rule or the baseline gives numbers to services that may never run here.
            let seen = kernel.send(Services).await.ok().and_then(Result::ok).unwrap_or_default();
            let running = seen.into_iter().filter(|service| service.running).map(|service| service.name);
            let unknown = |name: &String| has_model(name) && directory.learner(name).is_none();
            let fresh: BTreeSet<String> = running.chain(also).filter(unknown).collect();
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
        };
        Box::pin(found.into_actor(self).map(|(fresh, told), registry, _| {
            for (service, _) in told {
                if let Err(error) = Anomalies::read(registry.store.beside(&service)).told_newcomer() {
                    tracing::error!("{error}");
                }
                registry.late.insert(service);
            }
            fresh.iter().for_each(|service| registry.ensure(service));
        }))
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
