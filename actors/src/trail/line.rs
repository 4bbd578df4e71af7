//! One line of the trail: a record, what a restart needs beside it, and the digest of the line before.

use std::fmt;
use std::io::{self, BufRead, Read as _};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::record::Record;
use crate::tally::Key;

/// SHA-256 of a line without its line feed, or of a file. In text: 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// Of all that can be read.
    pub fn of_all(mut from: impl io::Read) -> io::Result<Digest> {
        let (mut sum, mut block) = (Sha256::new(), vec![0; 64 * 1024]);
        loop {
            match from.read(&mut block)? {
                0 => return Ok(Digest(sum.finalize().into())),
                read => sum.update(block.get(..read).unwrap_or_default()),
            }
        }
    }
}

impl Digest {
    /// Its text.
    fn hex(&self) -> [u8; 64] {
        let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        text
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hex().iter().try_for_each(|digit| fmt::Write::write_char(out, char::from(*digit)))
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Digest, String> {
        let mut bytes = [0; 32];
        from_hex(text, &mut bytes).then_some(Digest(bytes)).ok_or_else(|| "expected 64 hexadecimal digits".to_owned())
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Digest, String> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

/// Reads lower-case hexadecimal digits that fill `bytes` exactly; whether the text was that.
pub(super) fn from_hex(text: &str, bytes: &mut [u8]) -> bool {
    let value = |digit: &u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    text.len() == bytes.len() * 2
        && bytes.iter_mut().zip(text.as_bytes().chunks(2)).all(|(byte, pair)| {
            let [high, low] = pair else { return false };
            let (Some(high), Some(low)) = (value(high), value(low)) else { return false };
            *byte = high << 4 | low;
            true
        })
}

/// Why the chain begins where it does, said by a record within it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// These files are from before there was a chain: each with its digest.
    TakenOver(Vec<(String, Digest)>),
    /// The trail's bounds had records deleted.
    Deleted {
        /// The newest of them.
        up_to: u64,
        /// The digest of its line, which the first line that is left names as the one before.
        digest: Digest,
        /// Files from before the chain that went, too.
        files: Vec<String>,
    },
}

/// Goes on where a record's own text ends: then it is its line without the line feed, which is what [`Line`] is as JSON.
pub(super) fn go_on(to: &mut Vec<u8>, key: Option<&Key>, anchor: Option<&Anchor>, previous: &Digest) -> io::Result<()> {
    to.pop_if(|last| *last == b'}');
    to.extend_from_slice(b",\"key\":");
    serde_json::to_writer(&mut *to, &key)?;
    if let Some(anchor) = anchor {
        to.extend_from_slice(b",\"anchor\":");
        serde_json::to_writer(&mut *to, anchor)?;
    }
    to.extend_from_slice(b",\"previous\":\"");
    to.extend_from_slice(&previous.hex());
    to.extend_from_slice(b"\"}");
    Ok(())
}

/// A line of the trail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// The record.
    #[serde(flatten)]
    pub record: Record,
    /// The kernel's key of the kind of act: with it a restart knows what has been told, from the same bytes that told it.
    pub key: Option<String>,
    /// For records that the chain can begin after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Anchor>,
    /// Digest of the line before; lines from before there was a chain have none, and the very first has all zeros.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
}

/// The id of a record without reading all of its line, where the line begins as Bartizan writes it.
pub(super) fn id(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"time\":\"")?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let digits = rest.get(end..)?.strip_prefix(b"\",\"id\":")?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}

/// No line that Bartizan writes is longer, in bytes: paths and names in it are bounded by the kernel.
pub const LINE_MAX: u64 = 1 << 20;

/// A line as it is in its file.
#[derive(Debug)]
pub struct Raw {
    /// From 1.
    pub number: u64,
    /// Without the line feed.
    pub text: Vec<u8>,
    /// Whether a line feed ended it.
    pub ended: bool,
}

/// The lines of a file as they are.
pub fn raw(mut from: impl BufRead) -> impl Iterator<Item = io::Result<Raw>> {
    let mut number = 0;
    std::iter::from_fn(move || {
        let mut text = Vec::new();
        match from.by_ref().take(LINE_MAX).read_until(b'\n', &mut text) {
            Ok(0) => None,
            Ok(_) => {
                number += 1;
                let ended = text.pop_if(|last| *last == b'\n').is_some();
                Some(Ok(Raw { number, text, ended }))
            }
            Err(error) => Some(Err(error)),
        }
    })
    .scan(false, |failed, line| (!std::mem::replace(failed, line.is_err())).then_some(line))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_its_own_text() {
        let digest = Digest::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((digest.to_string().as_str(), text.parse()), (text, Ok(digest)));
        assert_eq!(Digest::of_all(&b"abc"[..]).unwrap(), digest);
        for wrong in ["", "ba", &text.to_uppercase(), &format!("{text}00")] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_line_is_written_as_it_is_read() {
        let record = Record::plain(crate::record::Kind::Tamper, "a \"word\" }".to_owned());
        let anchors = [None, Some(Anchor::Deleted { up_to: 7, digest: Digest::of(b"x"), files: vec!["f".to_owned()] })];
        for (anchor, key) in anchors.into_iter().zip([Some("1-\"k"), None]) {
            let (mut text, previous) = (Vec::new(), Digest::of(b"before"));
            serde_json::to_writer(&mut text, &record).unwrap();
            go_on(&mut text, key.map(Key::from).as_ref(), anchor.as_ref(), &previous).unwrap();
            let line = Line { record: record.clone(), key: key.map(str::to_owned), anchor, previous: Some(previous) };
            assert_eq!(id(&text), Some(0));
            assert_eq!(String::from_utf8(text).unwrap(), serde_json::to_string(&line).unwrap());
        }
    }

    #[test]
    fn lines_come_with_their_numbers_and_their_ends() {
        let told: Vec<Raw> = raw(&b"a\n\nb"[..]).map(Result::unwrap).collect();
        let told: Vec<_> = told.iter().map(|line| (line.number, line.text.as_slice(), line.ended)).collect();
        assert_eq!(told, [(1, &b"a"[..], true), (2, b"", true), (3, b"b", false)]);
    }
}
