//! Services that are refused nothing for a while: what would be refused is recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use policy::compiled::{Compiled, Service};
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::deadline::Deadline;

/// Until when, and who said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// The end.
    pub until: Deadline,
    /// Who gave it.
    pub by: String,
}

/// The services, kept in a file.
#[derive(Debug, Default)]
pub struct Permissive {
    file: PathBuf,
    services: BTreeMap<String, Leave>,
}

impl Permissive {
    /// Reads the file. One that cannot be read gives nobody leave.
    pub fn read(file: PathBuf) -> Permissive {
        let found = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Permissive { services: found.unwrap_or_default(), file }
    }

    /// Gives a service leave.
    pub fn give(&mut self, service: &str, leave: Leave) -> io::Result<()> {
        self.services.insert(service.to_owned(), leave);
        self.write()
    }

    /// Takes it back. Whether it had leave.
    pub fn take(&mut self, service: &str) -> io::Result<bool> {
        let had = self.services.remove(service).is_some();
        if had { self.write().map(|()| had) } else { Ok(had) }
    }

    /// Removes those whose time is over, and names them.
    pub fn ended(&mut self) -> Vec<String> {
        let over: Vec<String> = self
            .services
            .iter()
            .filter(|(_, leave)| leave.until.left().is_none())
            .map(|(name, _)| name.clone())
            .collect();
        for name in &over {
            self.services.remove(name);
        }
        if !over.is_empty()
            && let Err(error) = self.write()
        {
            // What is over is over after a restart as well.
            tracing::error!("{}: {error}", self.file.display());
        }
        over
    }

    /// Who has leave.
    pub fn services(&self) -> BTreeSet<&str> {
        self.services.keys().map(String::as_str).collect()
    }

    /// Who has leave and for how many seconds, for people.
    pub fn left(&self) -> BTreeMap<String, u64> {
        let left = |leave: &Leave| leave.until.left().map_or(0, |left| left.as_secs() + 1);
        self.services.iter().map(|(name, leave)| (name.clone(), left(leave))).collect()
    }

    /// Has a revision refuse these services nothing.
    pub fn apply(&self, compiled: &mut Compiled) {
        for name in self.services.keys() {
            if let Some(service) = compiled.services.get_mut(name) {
                self.loosen(name, service);
            }
            for entry in compiled.outbound.iter_mut().filter(|entry| entry.service == *name) {
                entry.ports.iter_mut().for_each(|range| range.prevent = false);
            }
        }
    }

    /// The same for one service.
    pub fn loosen(&self, name: &str, service: &mut Service) {
        if self.services.contains_key(name) {
            let subject = &mut service.subject;
            subject.alert = subject.alert.union(subject.prevent);
            subject.prevent = policy::access::Masks::NONE;
        }
    }

    fn write(&self) -> io::Result<()> {
        atomic::write(&self.file, &serde_json::to_vec(&self.services)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use policy::access::Access;
    use std::time::Duration;

    #[test]
    fn leave_is_kept_and_ends() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("permissive.json");
        let mut permissive = Permissive::read(file.clone());
        let leave = |time| Leave { until: Deadline::after(time), by: "root".to_owned() };
        permissive.give("web", leave(Duration::from_secs(60))).unwrap();
        permissive.give("db", leave(Duration::ZERO)).unwrap();
        let mut again = Permissive::read(file.clone());
        assert_eq!(again.services(), ["db", "web"].into());
        assert_eq!(again.ended(), ["db"]);
        assert_eq!(Permissive::read(file.clone()).services(), ["web"].into());
        assert!(again.take("web").unwrap() && !again.take("web").unwrap());
        std::fs::write(&file, "{").unwrap();
        assert!(Permissive::read(file).services().is_empty());
    }

    #[test]
    fn what_was_refused_is_recorded() {
        let directory = tempfile::tempdir().unwrap();
        let mut permissive = Permissive::read(directory.path().join("p"));
        permissive
            .give("web", Leave { until: Deadline::after(Duration::from_secs(9)), by: "root".to_owned() })
            .unwrap();
        let mut compiled = Compiled::default();
        for name in ["web", "db"] {
            let mut service = Service::default();
            service.subject.prevent.insert(Access::Read, 6);
            service.subject.alert.insert(Access::Read, 1);
            compiled.services.insert(name.to_owned(), service);
        }
        permissive.apply(&mut compiled);
        let of = |name: &str| {
            let subject = &compiled.services[name].subject;
            (subject.prevent.get(Access::Read), subject.alert.get(Access::Read))
        };
        assert_eq!((of("web"), of("db")), ((0, 7), (6, 1)));
    }
}
