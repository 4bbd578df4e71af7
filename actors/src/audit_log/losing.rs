//! What was lost: on record or in the daemon's log, and who is held because of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use actix::prelude::*;
use bpf::enforcement::GAPS;
use bpf::event::Flood;
use policy::decide::Verdict;

use super::AuditLog;
use crate::messages::Heard;
use crate::on_loss::{Holds, OnLoss};
use crate::record::{Kind, Record};
use crate::tally::Key;

/// Losses of the kernel that mean that something was not told; the others are counts for `status` only.
const LOSSES: [&str; 7] = ["violations", "observations", "floods", "services", "cgroups", "links", GAPS];
/// Those among them that may have been evidence about a service that learns. The kernel does not count by service.
const EVIDENCE: [&str; 2] = ["observations", "cgroups"];
/// A loss that goes on is logged so often, where it is not on record.
const OFTEN: Duration = Duration::from_secs(60);

/// Keeps account of what was said about losses.
#[derive(Debug)]
pub(super) struct Losing {
    pub(super) holds: Holds,
    /// What the log was told last of each of the kernel's counts, and when.
    logged: BTreeMap<String, (u64, Instant)>,
    /// Who is on record as held: a service, or all that learn.
    told: BTreeSet<Option<String>>,
}

impl Losing {
    pub(super) fn new(holds: Holds) -> Losing {
        Losing { holds, logged: BTreeMap::new(), told: BTreeSet::new() }
    }

    /// Whether the log is to be told this count.
    fn is_news(&mut self, kind: &str, count: u64) -> bool {
        let now = Instant::now();
        let known = self.logged.get(kind).is_some_and(|(told, at)| *told == count || now.duration_since(*at) < OFTEN);
        if !known {
            self.logged.insert(kind.to_owned(), (count, now));
        }
        !known
    }
}

fn message(kind: &str) -> String {
    if kind == GAPS {
        return "Events of the kernel are missing, as their numbers prove, and the kernel does not count them as lost"
            .to_owned();
    }
    format!("The kernel had no room for some {kind}")
}

impl AuditLog {
    /// Takes in the kernel's counts of losses.
    pub(super) fn take_losses(&mut self, losses: BTreeMap<String, u64>) {
        let only_log = self.losing.holds.on_loss() == OnLoss::Log;
        for (kind, count) in losses.into_iter().filter(|(kind, _)| LOSSES.contains(&kind.as_str())) {
            // The daemon counts gaps, and begins anew with each start.
            let since = if kind == GAPS { format!("{:x}-", self.started) } else { String::new() };
            let key = Key::from(format!("{:x}-loss-{since}{kind}", self.load));
            let message = message(&kind);
            if !self.trail.tally.is_new(&key, count) {
                continue;
            }
            if only_log {
                if self.losing.is_news(&kind, count) {
                    tracing::warn!("{message}: {count} since the programs were loaded");
                }
                continue;
            }
            if EVIDENCE.contains(&kind.as_str()) {
                self.hold(None);
            }
            self.total(key, count, || Record::plain(Kind::Loss, message));
        }
        self.let_go();
    }

    /// Of a service that learns a flood counts what nobody looked at.
    pub(super) fn take_flood(&mut self, flood: &Flood, key: &Key) {
        if flood.verdict == Verdict::Allow && self.trail.tally.is_new(key, flood.count) {
            self.hold(Some(flood.service.clone()));
        }
    }

    /// Whether a record goes no further than the daemon's log.
    pub(super) fn only_logs(&self, record: &Record) -> bool {
        let only = record.kind == Kind::Loss && self.losing.holds.on_loss() == OnLoss::Log;
        if only {
            tracing::warn!("{} ({})", record.message, record.count);
        }
        only
    }

    /// Evidence was lost, of this service or of nobody knows which.
    pub(super) fn hold(&mut self, service: Option<String>) {
        if self.losing.holds.on_loss() != OnLoss::Hold {
            return;
        }
        self.losing.holds.lost(service.as_deref());
        if self.losing.told.insert(service.clone()) {
            let who =
                service.as_deref().map_or("Services that learn are".to_owned(), |name| format!("Service {name} is"));
            let why = "evidence was lost, so nothing is learned and nobody becomes active by itself until it is complete \
                       again, or until `bartizan relearn`";
            self.append_plain(service, format!("{who} held: {why}"));
        }
    }

    /// Tells whose hold is over.
    fn let_go(&mut self) {
        let holds = &self.losing.holds;
        let is_over = |who: &Option<String>| match who {
            None => !holds.holds_all(),
            Some(service) => holds.left(service).is_none(),
        };
        let over: Vec<Option<String>> = self.losing.told.iter().filter(|who| is_over(who)).cloned().collect();
        for service in over {
            self.losing.told.remove(&service);
            let who =
                service.as_deref().map_or("Services that learn are".to_owned(), |name| format!("Service {name} is"));
            self.append_plain(service, format!("{who} held no longer"));
        }
    }

    fn append_plain(&mut self, service: Option<String>, message: String) {
        let service = service.map(Into::into);
        self.append(Record { service, ..Record::plain(Kind::Lifecycle, message) }, None, 0);
    }
}

impl Handler<Heard> for AuditLog {
    type Result = ();

    fn handle(&mut self, _: Heard, _: &mut Context<AuditLog>) {}
}
