//! A question to the store: the newest (or oldest) ids that are wanted, until there are enough; then their records.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, params};

use super::block::Block;
use super::entry::{self, Entry};
use super::schema::to_sql;
use super::state::State;
use super::trouble::Trouble;
use super::{chapters, classes, loose, span};
use crate::keyed::Mixing;
use crate::messages::FindRecords;
use crate::record::Record;

/// Bytes of a row that have a checksum.
fn bytes<'a>(row: &'a rusqlite::Row<'_>, at: usize) -> Result<&'a [u8], Trouble> {
    row.get_ref(at)?.as_blob().map_err(|_| Trouble::Damaged)
}

/// Where ids are found: table, the column with the first id of a row, that with the bytes, and a condition on the class.
pub(super) const BLOCKS: [&str; 4] = ["blocks", "first", "records", "?3 IS NULL"];
pub(super) const RECENT: [&str; 4] = ["recent", "first", "entries", "?3 IS NULL"];
pub(super) const HELD: [&str; 4] = ["held", "span", "entries", "class = ?3"];

/// The statement that finds rows from one id to another. What is wanted may begin within a row.
pub(super) fn statement([table, key, column, class_is]: [&str; 4], newest: bool) -> String {
    let order = if newest { "DESC" } else { "ASC" };
    format!(
        "SELECT {key}, {column} FROM {table} WHERE {class_is} AND {key} <= ?2
         AND {key} >= coalesce((SELECT max({key}) FROM {table} WHERE {class_is} AND {key} <= ?1), 0)
         ORDER BY {key} {order}"
    )
}

/// Where a row stands among those of its kind.
struct Link {
    /// The last record of the row before, or the key of that row.
    before: i64,
    /// The last record of this one, or its key.
    last: i64,
}

/// Rows of a kind, each of which names the one before.
struct Chain {
    rows: [&'static str; 4],
    class: Option<i64>,
    /// What a row names that is the first that there is, is less than this.
    begin: i64,
    /// The last record of the newest row, or its key; there is none where it is before the beginning.
    end: i64,
}

/// Ids that were found, as many as are wanted.
struct Found<'a> {
    base: &'a Connection,
    state: State,
    /// The first and last ids of the spans.
    spans: Vec<(i64, i64)>,
    /// The last record in a block.
    end: i64,
    limit: usize,
    newest: bool,
    /// From when until before when, in milliseconds since 1970.
    since: i64,
    until: i64,
    /// The classes of which records are wanted, each with the newest span that holds some; `None`: all.
    classes: Option<HashMap<i64, i64, Mixing>>,
    ids: BTreeSet<i64>,
    /// Others are not wanted, or not any more.
    from: i64,
    to: i64,
    /// The records that are not in blocks, whatever those have under these ids.
    loose: HashMap<i64, Entry, Mixing>,
}

impl<'a> Found<'a> {
    fn new(base: &'a Connection, find: &FindRecords) -> Result<Found<'a>, Trouble> {
        let wanted = &find.wanted;
        let any = wanted.service.is_none()
            && wanted.verdict.is_none()
            && wanted.kinds.is_empty()
            && wanted.capabilities.is_empty();
        let classes = if any { None } else { Some(classes::wanted(base, wanted)?.into_iter().collect()) };
        let (state, spans, end) = (State::read(base)?, span::all(base)?, chapters::end(base)?);
        if spans.len() as i64 != state.spans || span::lists_after(base, end)? {
            return Err(Trouble::Damaged);
        }
        Ok(Found {
            base,
            state,
            spans,
            end,
            limit: find.limit,
            newest: find.newest,
            since: wanted.since.map_or(i64::MIN, |time| time.as_millisecond()),
            until: wanted.until.map_or(i64::MAX, |time| time.as_millisecond()),
            classes,
            ids: BTreeSet::new(),
            // Lists may still have what is forgotten.
            from: to_sql(find.after).max(state.floor).saturating_add(1),
            to: i64::MAX,
            loose: HashMap::default(),
        })
    }

    /// Adds a record of a class that is wanted, if the rest of it is.
    fn offer(&mut self, entry: Entry) {
        let is_in = entry.id >= self.from && entry.id <= self.to && entry.ms >= self.since && entry.ms < self.until;
        if !is_in || !self.ids.insert(entry.id) {
            return;
        }
        if self.ids.len() > self.limit {
            if self.newest {
                self.ids.pop_first()
            } else {
                self.ids.pop_last()
            };
        }
        // From now on only what is newer (or older) than the last of these counts.
        if self.ids.len() == self.limit {
            if self.newest {
                self.from = self.ids.first().map_or(self.from, |worst| worst + 1);
            } else {
                self.to = self.ids.last().map_or(self.to, |worst| worst - 1);
            }
        }
    }

    /// Adds what is wanted of a block or a list, unless another record hides it.
    fn offer_all(&mut self, entries: impl DoubleEndedIterator<Item = Entry>) {
        let newest = self.newest;
        let mut offer = |entry: Entry| {
            let is_class = self.classes.as_ref().is_none_or(|classes| classes.contains_key(&entry.class));
            if is_class && !self.loose.contains_key(&entry.id) {
                self.offer(entry);
            }
        };
        if newest { entries.rev().for_each(&mut offer) } else { entries.for_each(&mut offer) }
    }

    fn look_at_loose(&mut self) -> Result<(), Trouble> {
        let all = loose::entries(self.base)?;
        if all.len() as i64 != self.state.loose {
            return Err(Trouble::Damaged);
        }
        self.offer_all(all.iter().copied());
        self.loose = all.into_iter().map(|entry| (entry.id, entry)).collect();
        Ok(())
    }

    /// Leaves out the chapters before and behind all in which something is of a time that is wanted.
    fn look_at_times(&mut self) -> Result<(), Trouble> {
        if self.since == i64::MIN && self.until == i64::MAX {
            return Ok(());
        }
        let mut chapters = chapters::all(self.base)?;
        chapters.retain(|chapter| chapter.newest >= self.since && chapter.oldest < self.until);
        self.from = self.from.max(chapters.first().map_or(i64::MAX, |chapter| chapter.first));
        self.to = self.to.min(chapters.last().map_or(0, |chapter| chapter.last));
        Ok(())
    }

    /// Looks at the rows of a chain that may have what is still wanted, and whether one is missing among them.
    fn walk(
        &mut self,
        chain: &Chain,
        mut look: impl FnMut(&mut Self, i64, &[u8]) -> Result<Link, Trouble>,
    ) -> Result<(), Trouble> {
        if self.from > self.to {
            return Ok(());
        }
        let (from, to) = (self.from, self.to);
        // What the lowest row that was looked at names, with its key; and the end of the highest.
        let (mut lowest, mut highest): (Option<(i64, i64)>, Option<i64>) = (None, None);
        let mut is_through = true;
        let mut rows = self.base.prepare_cached(&statement(chain.rows, self.newest))?;
        let mut rows = rows.query(params![from, to, chain.class])?;
        while let Some(row) = rows.next()? {
            let first: i64 = row.get(0)?;
            let link = look(self, first, bytes(row, 1)?)?;
            let follows = match (self.newest, lowest, highest) {
                (true, Some((_, before)), _) => link.last == before,
                (false, _, Some(last)) => link.before == last,
                _ => true,
            };
            if !follows {
                return Err(Trouble::Damaged);
            }
            if self.newest || lowest.is_none() {
                lowest = Some((first, link.before));
            }
            if !self.newest || highest.is_none() {
                highest = Some(link.last);
            }
            // All that follows is older (or newer) than what is still wanted.
            if if self.newest { first <= self.from } else { link.last >= self.to } {
                is_through = false;
                break;
            }
        }
        drop(rows);
        let begins = match lowest {
            Some((first, before)) => first <= from || before < chain.begin || self.newest && !is_through,
            None => true,
        };
        let ends = !self.newest && !is_through || highest == Some(chain.end) || chain.end < chain.begin;
        if begins && (ends || self.goes_on(chain, to, highest, look)?) { Ok(()) } else { Err(Trouble::Damaged) }
    }

    /// Whether the first row that begins behind the record `to` follows on the highest that begins before, if there is one.
    fn goes_on(
        &mut self,
        chain: &Chain,
        to: i64,
        highest: Option<i64>,
        mut look: impl FnMut(&mut Self, i64, &[u8]) -> Result<Link, Trouble>,
    ) -> Result<bool, Trouble> {
        let [table, key, column, class_is] = chain.rows;
        let mut next = self.base.prepare_cached(&format!(
            "SELECT {key}, {column} FROM {table} WHERE {class_is} AND {key} > ?2 ORDER BY {key} LIMIT 1"
        ))?;
        let mut rows = next.query(params![self.from, to, chain.class])?;
        let Some(row) = rows.next()? else { return Ok(false) };
        let link = look(self, row.get(0)?, bytes(row, 1)?)?;
        Ok(highest.map_or(link.before < chain.begin, |last| link.before == last))
    }

    fn look_at_blocks(&mut self) -> Result<(), Trouble> {
        let chain = Chain { rows: BLOCKS, class: None, begin: self.state.floor + 1, end: self.end };
        self.walk(&chain, |found, first, bytes| {
            let block = Block::read(first, bytes)?;
            found.offer_all(block.entries.iter().map(|(entry, _)| *entry));
            Ok(Link { before: block.before, last: block.entries.last().map_or(first, |(entry, _)| entry.id) })
        })
    }

    fn look_at_recent(&mut self) -> Result<(), Trouble> {
        let begin = self.spans.last().map_or(0, |(_, last)| *last).max(self.state.floor) + 1;
        let chain = Chain { rows: RECENT, class: None, begin, end: self.end };
        self.walk(&chain, |found, first, bytes| {
            let (before, entries) = entry::unpack(first, bytes)?;
            let last = entries.last().map_or(first, |entry| entry.id);
            found.offer_all(entries.into_iter());
            Ok(Link { before, last })
        })
    }

    fn look_at_held(&mut self) -> Result<(), Trouble> {
        let begin = self.spans.first().map_or(i64::MAX, |(first, _)| *first);
        for (class, end) in self.classes.iter().flatten().map(|(class, end)| (*class, *end)).collect::<Vec<_>>() {
            let chain = Chain { rows: HELD, class: Some(class), begin, end };
            self.walk(&chain, |found, span, bytes| {
                let (before, entries) = entry::unpack_class(class, span, bytes)?;
                found.offer_all(entries.into_iter());
                Ok(Link { before, last: span })
            })?;
        }
        Ok(())
    }

    /// The records with these ids, in their order.
    fn read(&self) -> Result<Vec<Record>, Trouble> {
        let mut records = Vec::new();
        let mut row =
            self.base.prepare("SELECT first, records FROM blocks WHERE first <= ?1 ORDER BY first DESC LIMIT 1")?;
        let mut ids = self.ids.iter().peekable();
        while let Some(id) = ids.next() {
            if let Some(entry) = self.loose.get(id) {
                records.push(record(&loose::text(self.base, *entry)?)?);
                continue;
            }
            let mut rows = row.query([id])?;
            let Some(row) = rows.next()? else { return Err(Trouble::Damaged) };
            let block = Block::read(row.get(0)?, bytes(row, 1)?)?;
            let mut text = Some(block.text(*id).ok_or(Trouble::Damaged)?);
            // Others of the same block.
            while let Some(found) = text {
                records.push(record(found)?);
                let next = ids.peek().filter(|id| !self.loose.contains_key(id));
                text = next.and_then(|id| block.text(**id));
                if text.is_some() {
                    ids.next();
                }
            }
        }
        Ok(records)
    }
}

/// What the store has of it, in the order of ids.
pub(super) fn run(base: &Connection, find: &FindRecords) -> Result<Vec<Record>, Trouble> {
    // All that is asked and answered is of one moment.
    let moment = base.unchecked_transaction()?;
    let mut found = Found::new(&moment, find)?;
    if find.limit == 0 || found.classes.as_ref().is_some_and(HashMap::is_empty) {
        return Ok(Vec::new());
    }
    found.look_at_loose()?;
    found.look_at_times()?;
    match (&found.classes, find.newest) {
        (None, _) => found.look_at_blocks()?,
        (Some(_), true) => {
            found.look_at_recent()?;
            found.look_at_held()?;
        }
        (Some(_), false) => {
            found.look_at_held()?;
            found.look_at_recent()?;
        }
    }
    found.read()
}

/// The record of a text, see [`super::block::Line::text`].
fn record(text: &[u8]) -> serde_json::Result<Record> {
    serde_json::from_slice(&[text, b"}"].concat())
}
