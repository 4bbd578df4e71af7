//! What a sink sends, as it grows. JSON is written without a tree of values: that took several times as long as all else that
//! is done with a record.

use serde::Serialize;

/// Bytes that are kept for the next batch; what a flood needed beyond that is given back.
const KEPT: usize = 256 << 10;

/// Text that is written piece by piece, and its memory, which serves one batch after another.
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

    /// Writes this as it is.
    pub(super) fn raw(&mut self, text: &str) -> &mut Output {
        self.all(text.as_bytes())
    }

    /// Writes these as they are.
    pub(super) fn all(&mut self, bytes: &[u8]) -> &mut Output {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A number, in decimal digits.
    pub(super) fn number(&mut self, number: impl Serialize) -> &mut Output {
        // Writing to memory cannot fail, and a number is JSON.
        let _ = serde_json::to_writer(&mut self.0, &number);
        self
    }

    /// Begins the next member of an object, whose value follows. The name needs no escapes.
    pub(super) fn key(&mut self, name: &str) -> &mut Output {
        self.next().raw("\"").raw(name).raw("\":")
    }

    /// Begins the next element of a list: a comma behind all but the first.
    pub(super) fn next(&mut self) -> &mut Output {
        if !matches!(self.0.last(), Some(b'{' | b'[')) {
            self.0.push(b',');
        }
        self
    }

    /// A text as JSON.
    pub(super) fn text(&mut self, text: &str) -> &mut Output {
        self.raw("\"").within(text).raw("\"")
    }

    /// A text as a part of one of JSON.
    pub(super) fn within(&mut self, text: &str) -> &mut Output {
        // Nearly all is plain; looking at all bytes instead of stopping at the first lets the processor take many at once.
        let special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
        if !text.bytes().fold(false, |any, byte| any | special(byte)) {
            return self.raw(text);
        }
        for letter in text.chars() {
            match letter {
                '"' | '\\' => self.raw("\\").raw(letter.encode_utf8(&mut [0; 4])),
                '\0'..' ' => self.raw(&format!("\\u{:04x}", u32::from(letter))),
                letter => self.raw(letter.encode_utf8(&mut [0; 4])),
            };
        }
        self
    }

    /// A text as a member, where there is one.
    pub(super) fn text_if(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.key(key).text(text);
        }
    }
}
