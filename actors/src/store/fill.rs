//! Fills a store without a trail, for measuring how it answers when it is large: see supervisor/examples/stored.rs.

use std::path::Path;

use rusqlite::{ErrorCode, Result, ffi};

use super::classes::Classes;
use super::schema;
use crate::written::Written;

/// Puts records into the store at `path` as its own thread does, this many in a transaction.
pub fn fill(path: &Path, mut records: impl Iterator<Item = Written>, at_once: usize) -> Result<()> {
    let of_another_version = ffi::Error { code: ErrorCode::SchemaChanged, extended_code: ffi::SQLITE_SCHEMA };
    let mut base = schema::open(path)?.ok_or(rusqlite::Error::SqliteFailure(of_another_version, None))?;
    let mut classes = Classes::default();
    loop {
        let some: Vec<Written> = records.by_ref().take(at_once).collect();
        if some.is_empty() {
            return Ok(());
        }
        let adding = base.transaction()?;
        schema::insert(&adding, &mut classes, &some.iter().collect::<Vec<_>>())?;
        adding.commit()?;
    }
}
