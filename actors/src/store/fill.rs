//! Fills a store without a trail, for measuring how it answers when it is large: see supervisor/examples/stored.rs.

use std::io;
use std::path::Path;

use super::classes::Classes;
use super::trouble::Trouble;
use super::{insertion, schema};
use crate::written::Written;

/// Puts records into the store at `path` as its own thread does, this many in a transaction.
pub fn fill(path: &Path, records: impl Iterator<Item = Written>, at_once: usize) -> io::Result<()> {
    fill_base(path, records, at_once).map_err(io::Error::other)
}

fn fill_base(path: &Path, mut records: impl Iterator<Item = Written>, at_once: usize) -> Result<(), Trouble> {
    let mut base = schema::open(path)?;
    let mut classes = Classes::default();
    loop {
        let some: Vec<Written> = records.by_ref().take(at_once).collect();
        if some.is_empty() {
            return Ok(());
        }
        let adding = base.transaction()?;
        insertion::insert(&adding, &mut classes, &some.iter().collect::<Vec<_>>())?;
        adding.commit()?;
    }
}
