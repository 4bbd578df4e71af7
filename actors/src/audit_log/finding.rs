//! Answers what is asked about records, beside the actor: the kernel's events do not wait for a reader.

use actix::prelude::*;

use super::AuditLog;
use crate::messages::{Audits, FindRecords};
use crate::record::Record;
use crate::selection::Selection;

impl AuditLog {
    fn find(&self, find: FindRecords) -> ResponseFuture<Result<Vec<Record>, String>> {
        let (reader, end) = (self.store.reader(), self.trail.last());
        let place = self.directory.clone();
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || reader.find(&find, end)).await;
            let found = found.map_err(|error| error.to_string())?;
            found.map_err(|error| format!("{}: {error}", place.display()))
        })
    }
}

impl Handler<FindRecords> for AuditLog {
    type Result = ResponseFuture<Result<Vec<Record>, String>>;

    fn handle(&mut self, find: FindRecords, _: &mut Context<AuditLog>) -> Self::Result {
        self.find(find)
    }
}

impl Handler<Audits> for AuditLog {
    type Result = ResponseFuture<Result<Vec<Record>, String>>;

    fn handle(&mut self, Audits { after, service, limit }: Audits, _: &mut Context<AuditLog>) -> Self::Result {
        let wanted = Selection { service, ..Selection::default() };
        self.find(FindRecords { wanted, after, limit, newest: false })
    }
}
