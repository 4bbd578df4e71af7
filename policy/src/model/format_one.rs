//! Format 1: one piece of evidence per grant, without the host, and no maturity.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Model, State};
use crate::access::Access;
use crate::evidence::{Evidence, Sighting};
use crate::maturity::Progress;

/// What its files hold.
#[derive(Deserialize)]
pub(super) struct Old {
    service: String,
    state: State,
    since: i64,
    granted: BTreeMap<String, BTreeMap<Access, OldEvidence>>,
    programs: BTreeMap<String, OldEvidence>,
}

#[derive(Deserialize)]
struct OldEvidence {
    first: i64,
    last: i64,
    count: u64,
    exe: String,
    object: String,
}

impl OldEvidence {
    fn of(self, host: &str) -> Evidence {
        let OldEvidence { first, last, count, exe, object } = self;
        Evidence { hosts: BTreeMap::from([(host.to_owned(), Sighting { first, last, count, exe, object, starts: 0 })]) }
    }
}

impl Old {
    /// The same model now: what it knows was seen by the host that kept it. How long it has learned was not written
    /// down in a way that a set clock leaves alone, so that counts anew.
    pub(super) fn migrate(self, host: &str) -> Model {
        let grants = |accesses: BTreeMap<Access, OldEvidence>| {
            accesses.into_iter().map(|(access, evidence)| (access, evidence.of(host))).collect()
        };
        Model {
            service: self.service,
            state: self.state,
            since: self.since,
            returns_to: None,
            granted: self.granted.into_iter().map(|(name, accesses)| (name, grants(accesses))).collect(),
            programs: self.programs.into_iter().map(|(path, evidence)| (path, evidence.of(host))).collect(),
            progress: Progress::anew(),
        }
    }
}
