//! What a sink sends, as it grows: a batch is written into memory that the batch before it left.

use std::fmt::Display;
use std::io::Write as _;

use serde::{Serialize, Serializer};

/// Bytes that are kept for the next batch; what a flood needed beyond that is given back.
const KEPT: usize = 256 << 10;

/// Bytes, and their memory, which serves one batch after another.
#[derive(Default)]
pub(super) struct Output(Vec<u8>);

impl Output {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.0.clear();
        self.0.shrink_to(KEPT);
    }

    /// Adds this as it is.
    pub(super) fn raw(&mut self, text: &str) -> &mut Output {
        self.all(text.as_bytes())
    }

    /// Adds these as they are.
    pub(super) fn all(&mut self, bytes: &[u8]) -> &mut Output {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a number, in decimal digits.
    pub(super) fn number(&mut self, number: impl Display) -> &mut Output {
        // Writing to memory cannot fail.
        let _ = write!(self.0, "{number}");
        self
    }

    /// Adds a value as JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> serde_json::Result<()> {
        serde_json::to_writer(&mut self.0, value)
    }
}

/// For `serialize_with`: a member that is text in JSON, whatever it is here, without making that text first.
pub(super) fn as_text<S: Serializer>(value: &impl Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}
