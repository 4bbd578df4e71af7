//! A record that is in the trail, with what all that get it would have to make of it again and again.

use std::ops::Deref;
use std::sync::Arc;

use crate::clock;
use crate::record::Record;

/// A record and its text.
#[derive(Clone, Debug)]
pub struct Written {
    /// The record.
    pub record: Record,
    /// The same as a JSON object, as `bartizan audits --json` prints it.
    pub json: Arc<str>,
    /// Its time, in milliseconds since 1970, UTC.
    pub ms: i64,
}

impl Written {
    /// A record with its text.
    pub fn new(record: Record, json: Arc<str>) -> Written {
        Written { ms: clock::ms_of_text(&record.time), record, json }
    }
}

impl Deref for Written {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl TryFrom<Record> for Written {
    type Error = serde_json::Error;

    fn try_from(record: Record) -> Result<Written, serde_json::Error> {
        let json = serde_json::to_string(&record)?;
        Ok(Written::new(record, json.into()))
    }
}
