//! Blocks: records one behind the other, as many as one page of the file takes, so that a record is found with one look at the
//! disk, and putting it in costs a fraction of a row.

use std::ops::Range;

use super::entry::Entry;
use super::packed::{self, SUM, Table, Unpacking};
use super::trouble::Trouble;

/// Bytes that a row may have without taking more than its page (of [`super::schema::PAGE`] bytes).
const ROOM: usize = 16_320;
/// Bytes of the length of the list that is behind the texts.
const LENGTH: usize = 4;

/// A record on its way into a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) entry: Entry,
    /// The record as JSON but for the brace at its end, see [`crate::written::Text`].
    pub(super) text: &'a [u8],
}

/// Writes blocks: the texts, the list of records, its length, the checksum. The texts are first so that they are copied once. The list
/// begins with the record before the block, so that a block that is missing is missed.
#[derive(Debug)]
pub(super) struct Builder {
    row: Vec<u8>,
    list: Vec<u8>,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder { row: Vec::with_capacity(ROOM), list: Vec::with_capacity(ROOM / 16) }
    }

    /// Gives blocks of these lines, which are in the order of ids and follow the record `before`, to `write`: the first id of
    /// each, and its bytes.
    pub(super) fn build<E>(
        &mut self,
        before: i64,
        lines: &[Line<'_>],
        mut write: impl FnMut(i64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(mut first) = lines.first().map(|line| line.entry.id) else { return Ok(()) };
        let (mut previous, mut is_empty) = (Entry::start(first), true);
        packed::put_signed(&mut self.list, first.wrapping_sub(before));
        for line in lines {
            let end = self.list.len();
            self.list(line, previous);
            if !is_empty && self.row.len() + line.text.len() + self.list.len() + LENGTH + SUM > ROOM {
                self.list.truncate(end);
                write(first, self.finish(first))?;
                self.clear();
                first = line.entry.id;
                packed::put_signed(&mut self.list, first.wrapping_sub(previous.id));
                self.list(line, Entry::start(first));
            }
            self.row.extend_from_slice(line.text);
            (previous, is_empty) = (line.entry, false);
        }
        write(first, self.finish(first))?;
        self.clear();
        Ok(())
    }

    fn list(&mut self, line: &Line<'_>, before: Entry) {
        line.entry.put_after(before, &mut self.list);
        packed::put(&mut self.list, line.text.len() as u64);
    }

    fn finish(&mut self, first: i64) -> &[u8] {
        self.row.extend_from_slice(&self.list);
        self.row.extend_from_slice(&(self.list.len() as u32).to_le_bytes());
        packed::close(Table::Blocks, &[first], &mut self.row);
        &self.row
    }

    fn clear(&mut self) {
        self.row.clear();
        self.list.clear();
    }
}

/// A block that was read.
pub(super) struct Block<'a> {
    texts: &'a [u8],
    /// The record before it, in the block before.
    pub(super) before: i64,
    pub(super) entries: Vec<(Entry, Range<usize>)>,
}

impl Block<'_> {
    /// The block whose first record has this id.
    pub(super) fn read(first: i64, bytes: &[u8]) -> Result<Block<'_>, Trouble> {
        let (bytes, length) =
            packed::open(Table::Blocks, &[first], bytes)?.split_last_chunk::<LENGTH>().ok_or(Trouble::Damaged)?;
        let list_at = bytes.len().checked_sub(u32::from_le_bytes(*length) as usize).ok_or(Trouble::Damaged)?;
        let (texts, list) = bytes.split_at(list_at);
        let (mut list, mut previous, mut end, mut entries) =
            (Unpacking(list), Entry::start(first), 0_usize, Vec::new());
        let before = first.wrapping_sub(list.signed()?);
        while !list.0.is_empty() {
            previous = Entry::take_after(previous, &mut list)?;
            let from = end;
            end = end.checked_add(list.size()?).ok_or(Trouble::Damaged)?;
            entries.push((previous, from..end));
        }
        if texts.len() == end { Ok(Block { texts, before, entries }) } else { Err(Trouble::Damaged) }
    }

    /// The text of a record, if it is here.
    pub(super) fn text(&self, id: i64) -> Option<&[u8]> {
        let at = self.entries.binary_search_by_key(&id, |(entry, _)| entry.id).ok()?;
        let (_, range) = self.entries.get(at)?;
        self.texts.get(range.clone())
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn blocks(texts: &[Vec<u8>]) -> Vec<(i64, Vec<u8>)> {
        let entry = |at: usize| Entry { id: 5 + 3 * at as i64, class: at as i64 % 7, ms: -40 };
        let lines: Vec<Line<'_>> = texts.iter().enumerate().map(|(at, text)| Line { entry: entry(at), text }).collect();
        let mut made = Vec::new();
        let done = Builder::new().build(2, &lines, |first, bytes| {
            made.push((first, bytes.to_vec()));
            Ok::<(), Trouble>(())
        });
        assert!(done.is_ok());
        made
    }

    #[test]
    fn what_went_in_comes_out_and_pages_are_full() {
        let sizes = [0, 800, 900, ROOM, 1, ROOM * 3, 2];
        let texts: Vec<Vec<u8>> = (0..500).map(|at| vec![at as u8; sizes[at % 7].min(1_000 + at * 7)]).collect();
        let made = blocks(&texts);
        let (mut at, mut before) = (0, 2);
        for (first, bytes) in &made {
            let Ok(block) = Block::read(*first, bytes) else { panic!("it cannot be read") };
            assert_eq!(std::mem::replace(&mut before, block.entries.last().unwrap().0.id), block.before);
            assert!(bytes.len() <= ROOM || block.entries.len() == 1, "{}", bytes.len());
            for (entry, _) in &block.entries {
                assert_eq!(*entry, Entry { id: 5 + 3 * at, class: at % 7, ms: -40 });
                assert_eq!(block.text(entry.id), Some(texts[at as usize].as_slice()));
                assert_eq!(block.text(entry.id + 1), None);
                at += 1;
            }
        }
        assert_eq!(at, 500);
        let plain = blocks(&vec![vec![b'x'; 900]; 180]);
        assert_eq!(plain.len(), 10);
        assert!(blocks(&[]).is_empty());
    }

    #[test]
    fn no_changed_byte_stays_unseen() {
        let (first, bytes) = blocks(&[b"one".to_vec(), b"two".to_vec()]).remove(0);
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 4;
            assert!(Block::read(first, &other).is_err(), "{at}");
            assert!(Block::read(first, &bytes[..at]).is_err(), "{at}");
        }
        assert!(Block::read(first + 1, &bytes).is_err(), "it is in its place");
    }
}
