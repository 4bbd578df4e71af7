//! Services that were never seen on a host whose services are all active.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use actix::prelude::*;
use bpf::kernel::SeenService;
use policy::baseline;
use policy::selftest;

use super::Registry;
use crate::anomalies::Anomalies;
use crate::messages::{Newcomers, Put, Services};
use crate::record::{Kind, Record};

/// How long a service may wait for its learner because the record that it is new cannot be written: three looks. It runs
/// meanwhile and has to be learned, so on a disk that stays full it gets its learner all the same, and the journal says that
/// the record is lost.
const PATIENCE: Duration = Duration::from_secs(45);

/// What a look found out about services without a learner.
#[derive(Default)]
struct Told {
    /// Those that are to get one.
    fresh: BTreeSet<String>,
    /// Those among them that came when all others were active.
    late: BTreeSet<String>,
    /// Those whose record failed, with what failed.
    failed: BTreeMap<String, String>,
}

/// Services whose record failed, since when.
#[derive(Debug, Default)]
pub(super) struct Waiting(BTreeMap<String, Instant>);

impl Waiting {
    /// Whether this one waits for a later look, after its record has failed once more.
    fn wait(&mut self, service: &str, now: Instant) -> bool {
        let since = *self.0.entry(service.to_owned()).or_insert(now);
        now.duration_since(since) < PATIENCE
    }

    /// Whether it waits: what it does is to be told again.
    pub(super) fn has(&self, service: &str) -> bool {
        self.0.contains_key(service)
    }
}

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
            registry.told(names).into_actor(registry).map(|told, _, _| (running, told))
        });
        Box::pin(told.map(|(running, mut told), registry, _| {
            let now = Instant::now();
            for (service, error) in told.failed {
                if registry.waiting.wait(&service, now) {
                    tracing::warn!("that {service} is new on this host is recorded later: {error}");
                    told.fresh.remove(&service);
                    told.late.remove(&service);
                } else {
                    tracing::error!(
                        "whether {service} is new on this host is not recorded any more, and it learns: {error}"
                    );
                }
            }
            for service in &told.fresh {
                registry.waiting.0.remove(service);
            }
            for service in told.late {
                if let Err(error) = Anomalies::read(registry.store.beside(&service)).told_newcomer() {
                    tracing::error!("{error}");
                }
                registry.late.insert(service);
            }
            told.fresh.iter().for_each(|service| registry.ensure(service));
            running.iter().for_each(|service| registry.is_there(service));
        }))
    }

    /// Puts those of these services on record that have no learner yet and are new.
    fn told(&self, services: Vec<String>) -> impl Future<Output = Told> + use<> {
        let (late, directory) = (self.late.clone(), self.directory.clone());
        async move {
            let unknown = |name: &String| has_model(name) && directory.learner(name).is_none();
            let fresh: BTreeSet<String> = services.into_iter().filter(unknown).collect();
            let mut told = Told { fresh, ..Told::default() };
            let Some(keeper) = directory.keeper().filter(|_| !told.fresh.is_empty()) else { return told };
            match keeper.send(Newcomers { seen: told.fresh.clone(), late }).await {
                Ok(new) => {
                    for (service, rule) in new {
                        if let Err(error) = tell(&directory, &service, rule).await {
                            told.failed.insert(service.clone(), error);
                        }
                        told.late.insert(service);
                    }
                }
                Err(error) => {
                    let error = format!("the policy keeper does not answer: {error}");
                    told.failed = told.fresh.iter().map(|service| (service.clone(), error.clone())).collect();
                }
            }
            told
        }
    }
}

async fn tell(directory: &crate::directory::Directory, service: &str, rule: Option<String>) -> Result<(), String> {
    let message = format!("Service {service} was never seen on this host, whose services are all active");
    let record = Record {
        service: Some(service.into()),
        verdict: Some("audit".into()),
        rule: rule.map(Into::into),
        ..Record::plain(Kind::Service, message)
    };
    let audit = directory.audit().ok_or("the audit log has not started")?;
    audit.send(Put(Box::new(record))).await.map_err(|error| error.to_string())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_waits_for_its_record_but_not_for_ever() {
        let mut waiting = Waiting::default();
        let start = Instant::now();
        assert!(!waiting.has("web"));
        assert!(waiting.wait("web", start) && waiting.has("web"));
        assert!(waiting.wait("web", start + PATIENCE / 2));
        assert!(waiting.wait("db", start + PATIENCE), "each has its own time");
        assert!(!waiting.wait("web", start + PATIENCE));
    }
}
