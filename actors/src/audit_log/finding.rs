//! Answers what is asked about records, beside the actor: the kernel's events do not wait for a reader.

use actix::prelude::*;

use super::AuditLog;
use crate::messages::FindRecords;
use crate::record::Record;

impl Handler<FindRecords> for AuditLog {
    type Result = ResponseFuture<Result<Vec<Record>, String>>;

    fn handle(&mut self, find: FindRecords, _: &mut Context<AuditLog>) -> Self::Result {
        let (reader, end) = (self.store.reader(), self.trail.last());
        let place = self.directory.clone();
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || reader.find(&find, end)).await;
            let found = found.map_err(|error| error.to_string())?;
            found.map_err(|error| format!("{}: {error}", place.display()))
        })
    }
}
