//! What the trail needs beside records: bounds, and a signed head once a day and at the end.

use std::time::Duration;

use actix::prelude::*;

use super::AuditLog;
use crate::clock;
use crate::messages::{Queues, ShowQueues, Sign};

/// How often the trail is looked after.
pub(super) const OFTEN: Duration = Duration::from_secs(60);
/// How old the newest signed head may grow.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

impl AuditLog {
    /// Looks after the trail, and hands on what it says about itself.
    pub(super) fn keep(&mut self) {
        if let Err(error) = self.trail.tend() {
            tracing::error!("{}: the bounds of the audit trail cannot be kept: {error}", self.directory.display());
        }
        let news = self.trail.take_news();
        if !news.is_empty() {
            self.deliver(news, false);
        }
        let now = clock::rfc3339(clock::now_ms());
        let signed_at = self.heads.as_ref().and_then(|heads| heads.signed_at());
        if signed_at.is_none_or(|time| clock::apart(time, &now) >= A_DAY)
            && let Err(error) = self.sign()
        {
            tracing::error!("{error}");
        }
    }

    fn sign(&mut self) -> Result<(), String> {
        let Some(heads) = &mut self.heads else { return Ok(()) };
        let signed = self.trail.end().and_then(|end| heads.sign(end.id, end.digest));
        signed.map_err(|error| format!("{}: the audit trail cannot be signed: {error}", self.directory.display()))
    }
}

impl Handler<ShowQueues> for AuditLog {
    type Result = MessageResult<ShowQueues>;

    fn handle(&mut self, _: ShowQueues, _: &mut Context<AuditLog>) -> Self::Result {
        let unwritten = self.owed.len() + self.trail.owed() + self.told.len() + self.unwritten.len();
        MessageResult(Queues {
            newest: self.trail.last(),
            unwritten: u64::try_from(unwritten).unwrap_or(u64::MAX),
            store: self.store.waiting(),
            sinks: self.sinks.now(),
        })
    }
}

impl Handler<Sign> for AuditLog {
    type Result = Result<(), String>;

    /// What comes after this is in the trail, and delivered after the next start.
    fn handle(&mut self, _: Sign, _: &mut Context<AuditLog>) -> Self::Result {
        self.write_own();
        let signed = self.sign();
        self.sinks.finish();
        signed
    }
}
