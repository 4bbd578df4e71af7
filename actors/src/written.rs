//! A record that is in the trail, with what all that get it would have to make of it again and again.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::clock;
use crate::record::Record;

/// A record as a JSON object, as `bartizan audits --json` prints it. Those of one batch share the memory.
#[derive(Clone, Debug)]
pub struct Text {
    lines: Arc<String>,
    /// Where it begins, and where the brace that ends it would be: a line of the trail goes on there.
    from: usize,
    to: usize,
}

impl Text {
    /// A part of these lines, which ends before the brace.
    pub(crate) fn new(lines: Arc<String>, from: usize, to: usize) -> Text {
        Text { lines, from, to }
    }

    /// All of it but the brace at its end.
    pub fn but_end(&self) -> &str {
        self.lines.get(self.from..self.to).unwrap_or_default()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.but_end())?;
        to.write_str("}")
    }
}

/// A record and its text.
#[derive(Clone, Debug)]
pub struct Written {
    /// The record.
    pub record: Record,
    /// The same as text.
    pub json: Text,
    /// Its time, in milliseconds since 1970, UTC.
    pub ms: i64,
}

impl Written {
    /// A record with its text.
    pub fn new(record: Record, json: Text) -> Written {
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
        let text = serde_json::to_string(&record)?;
        let to = text.len().saturating_sub(1);
        Ok(Written::new(record, Text::new(text.into(), 0, to)))
    }
}
