//! The list of records by class. That of the newest chapters is a row for each chapter, which is read as a whole: it costs
//! hardly anything to write, and has the answers to most questions. An entry of an index for each record would cost more than
//! the record, since nearly each belongs to another page. So older chapters have one row for each class, a span of many
//! chapters at a time.

use rusqlite::{Connection, Result, params};

use super::entry::{self, Entry};
use super::packed::{self, Table};
use super::state::State;
use super::trouble::Trouble;
use super::{chapters, classes};
use crate::selection::Selection;

/// With so many chapters that have rows of their own, the oldest of them become a span; the rest stay, and answer what is often
/// asked for. In tests there are not so many records.
const MOST: i64 = if cfg!(test) { 8 } else { 128 };
const SPAN: i64 = if cfg!(test) { 6 } else { 96 };

/// Lists a chapter, which follows the record `before`.
pub(super) fn list(
    to: &Connection,
    first: i64,
    before: i64,
    entries: impl ExactSizeIterator<Item = Entry>,
) -> Result<()> {
    let mut row = to.prepare_cached("INSERT INTO recent VALUES (?1, ?2)")?;
    row.execute(params![first, entry::pack(first, before, entries)]).map(drop)
}

/// The entries of all chapters with rows of their own, in the order of ids.
pub(super) fn recent(base: &Connection) -> std::result::Result<Vec<Entry>, Trouble> {
    let entries = oldest(base, i64::MAX)?;
    let end = entries.last().map_or(end(base)?, |last| last.id);
    if chapters::end(base)? <= end { Ok(entries) } else { Err(Trouble::Damaged) }
}

fn oldest(base: &Connection, chapters: i64) -> std::result::Result<Vec<Entry>, Trouble> {
    let mut all = base.prepare_cached("SELECT first, entries FROM recent ORDER BY first LIMIT ?1")?;
    let mut rows = all.query([chapters])?;
    let mut entries = Vec::new();
    let mut end = end(base)?;
    while let Some(row) = rows.next()? {
        let (before, mut some) = entry::unpack(row.get(0)?, row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?;
        if before != end {
            return Err(Trouble::Damaged);
        }
        end = some.last().map_or(end, |last| last.id);
        entries.append(&mut some);
    }
    Ok(entries)
}

/// The last record that is in a span, or is forgotten.
pub(super) fn end(base: &Connection) -> std::result::Result<i64, Trouble> {
    Ok(all(base)?.last().map_or(0, |(_, last)| *last).max(State::read(base)?.floor))
}

/// Whether a chapter is listed that begins behind this record.
pub(super) fn lists_after(base: &Connection, id: i64) -> Result<bool> {
    base.prepare_cached("SELECT EXISTS (SELECT 1 FROM recent WHERE first > ?1)")?.query_row([id], |row| row.get(0))
}

/// Makes a span of the oldest chapters, if there are many.
pub(super) fn make(base: &Connection) -> std::result::Result<(), Trouble> {
    let count: i64 = base.prepare_cached("SELECT count(*) FROM recent")?.query_row([], |row| row.get(0))?;
    if count < MOST {
        return Ok(());
    }
    let mut entries = oldest(base, SPAN)?;
    let (Some(first), Some(last)) = (entries.first().copied(), entries.last().copied()) else { return Ok(()) };
    entries.sort_unstable_by_key(|entry| (entry.class, entry.id));
    let mut row = base.prepare_cached("INSERT INTO held VALUES (?1, ?2, ?3)")?;
    for some in entries.chunk_by(|one, next| one.class == next.class) {
        let class = some.first().map_or(0, |entry| entry.class);
        let before = classes::hold(base, class, first.id)?;
        row.execute(params![class, first.id, entry::pack_class(class, first.id, before, some)])?;
    }
    base.execute("INSERT INTO spans VALUES (?1, ?2, ?3)", params![first.id, last.id, sum(first.id, last.id)])?;
    base.execute("DELETE FROM recent WHERE first <= ?1", [last.id])?;
    Ok(())
}

fn sum(first: i64, last: i64) -> u32 {
    packed::sum(Table::Spans, &[first, last], &[])
}

/// The first and last ids of all spans, in their order.
pub(super) fn all(base: &Connection) -> std::result::Result<Vec<(i64, i64)>, Trouble> {
    let mut all = base.prepare_cached("SELECT first, last, sum FROM spans ORDER BY first")?;
    let mut rows = all.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (first, last) = (row.get(0)?, row.get(1)?);
        if sum(first, last) != row.get::<_, u32>(2)? {
            return Err(Trouble::Damaged);
        }
        found.push((first, last));
    }
    Ok(found)
}

/// Takes out what lists only records up to this one.
pub(super) fn forget(base: &Connection, up_to: i64) -> std::result::Result<(), Trouble> {
    base.execute("DELETE FROM recent WHERE first <= ?1", [up_to])?;
    let spans: Vec<i64> = all(base)?.into_iter().filter(|(_, last)| *last <= up_to).map(|(first, _)| first).collect();
    if spans.is_empty() {
        return Ok(());
    }
    // By class and span, since that is how they are found.
    let mut row = base.prepare("DELETE FROM held WHERE class = ?1 AND span = ?2")?;
    for (class, _) in classes::wanted(base, &Selection::default())? {
        for span in &spans {
            row.execute([class, *span])?;
        }
    }
    base.execute("DELETE FROM spans WHERE last <= ?1", [up_to])?;
    Ok(())
}
