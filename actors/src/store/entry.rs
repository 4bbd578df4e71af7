//! Entries: what is known of a record without its text, many of them in one row.

use super::packed::{self, Table, Unpacking};
use super::trouble::Trouble;

/// A record, as questions look for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: i64,
    /// See [`super::classes`].
    pub(super) class: i64,
    /// Its time, in milliseconds since 1970, UTC.
    pub(super) ms: i64,
}

impl Entry {
    /// Adds what differs from the entry before.
    pub(super) fn put_after(self, before: Entry, to: &mut Vec<u8>) {
        packed::put_signed(to, self.id.wrapping_sub(before.id));
        packed::put_signed(to, self.ms.wrapping_sub(before.ms));
        packed::put_signed(to, self.class.wrapping_sub(before.class));
    }

    /// Reads what [`Entry::put_after`] wrote.
    pub(super) fn take_after(before: Entry, from: &mut Unpacking<'_>) -> Result<Entry, Trouble> {
        let id = before.id.wrapping_add(from.signed()?);
        let ms = before.ms.wrapping_add(from.signed()?);
        Ok(Entry { id, ms, class: before.class.wrapping_add(from.signed()?) })
    }

    /// The entry before the first, of a row that begins with this id.
    pub(super) fn start(id: i64) -> Entry {
        Entry { id, class: 0, ms: 0 }
    }
}

/// Entries as the row `first` of the recent ones, which follows the record `before`.
pub(super) fn pack(first: i64, before: i64, entries: impl ExactSizeIterator<Item = Entry>) -> Vec<u8> {
    // An entry takes four bytes, or a few more.
    let (mut bytes, mut previous) = (Vec::with_capacity(entries.len() * 6), Entry::start(first));
    packed::put_signed(&mut bytes, first.wrapping_sub(before));
    for entry in entries {
        entry.put_after(previous, &mut bytes);
        previous = entry;
    }
    packed::close(Table::Recent, &[first], &mut bytes);
    bytes
}

/// Reads what [`pack`] made: the record before, and the entries.
pub(super) fn unpack(first: i64, bytes: &[u8]) -> Result<(i64, Vec<Entry>), Trouble> {
    let (mut packed, mut previous) = (Unpacking(packed::open(Table::Recent, &[first], bytes)?), Entry::start(first));
    let (before, mut entries) = (first.wrapping_sub(packed.signed()?), Vec::new());
    while !packed.0.is_empty() {
        previous = Entry::take_after(previous, &mut packed)?;
        entries.push(previous);
    }
    Ok((before, entries))
}

/// Entries of one class as its row of a span, of which the row before is that of the span `before`: without the class, which is that
/// of the row.
pub(super) fn pack_class(class: i64, span: i64, before: i64, entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut previous) = (Vec::new(), Entry::start(span));
    packed::put_signed(&mut bytes, span.wrapping_sub(before));
    for entry in entries {
        packed::put_signed(&mut bytes, entry.id.wrapping_sub(previous.id));
        packed::put_signed(&mut bytes, entry.ms.wrapping_sub(previous.ms));
        previous = *entry;
    }
    packed::close(Table::Held, &[class, span], &mut bytes);
    bytes
}

/// Reads what [`pack_class`] made: the span before, and the entries.
pub(super) fn unpack_class(class: i64, span: i64, bytes: &[u8]) -> Result<(i64, Vec<Entry>), Trouble> {
    let mut packed = Unpacking(packed::open(Table::Held, &[class, span], bytes)?);
    let (before, mut id, mut ms, mut entries) = (span.wrapping_sub(packed.signed()?), span, 0_i64, Vec::new());
    while !packed.0.is_empty() {
        (id, ms) = (id.wrapping_add(packed.signed()?), ms.wrapping_add(packed.signed()?));
        entries.push(Entry { id, class, ms });
    }
    Ok((before, entries))
}
