//! The list of records by class. That of the newest chapters is a row for each chapter, which is read as a whole: it costs
//! hardly anything to write, and has the answers to most questions. An entry of an index for each record would cost more than
//! the record, since nearly each belongs to another page. So older chapters have one row for each class, a span of many
//! chapters at a time.

use rusqlite::{Connection, Result, params};

use super::classes;
use super::entry::{self, Entry};
use super::packed::{self, Table};
use super::trouble::Trouble;
use crate::selection::Selection;

/// With so many chapters that have rows of their own, the oldest of them become a span; the rest stay, and answer what is often
/// asked for. In tests there are not so many records.
const MOST: i64 = if cfg!(test) { 8 } else { 128 };
const SPAN: i64 = if cfg!(test) { 6 } else { 96 };

/// Lists a chapter.
pub(super) fn list(to: &Connection, first: i64, entries: impl ExactSizeIterator<Item = Entry>) -> Result<()> {
    let mut row = to.prepare_cached("INSERT INTO recent VALUES (?1, ?2)")?;
    row.execute(params![first, entry::pack(first, entries)]).map(drop)
}

/// The entries of all chapters with rows of their own, in the order of ids.
pub(super) fn recent(base: &Connection) -> std::result::Result<Vec<Entry>, Trouble> {
    oldest(base, i64::MAX)
}

fn oldest(base: &Connection, chapters: i64) -> std::result::Result<Vec<Entry>, Trouble> {
    let mut all = base.prepare_cached("SELECT first, entries FROM recent ORDER BY first LIMIT ?1")?;
    let mut rows = all.query([chapters])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.append(&mut entry::unpack(row.get(0)?, row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?);
    }
    Ok(entries)
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
        row.execute(params![class, first.id, entry::pack_class(class, first.id, some)])?;
    }
    base.execute("INSERT INTO spans VALUES (?1, ?2, ?3)", params![first.id, last.id, sum(first.id, last.id)])?;
    base.execute("DELETE FROM recent WHERE first <= ?1", [last.id])?;
    Ok(())
}

fn sum(first: i64, last: i64) -> u32 {
    packed::sum(Table::Spans, &[first, last], &[])
}

/// The first ids of the spans that end with this record or before.
pub(super) fn until(base: &Connection, up_to: i64) -> std::result::Result<Vec<i64>, Trouble> {
    let mut all = base.prepare("SELECT first, last, sum FROM spans")?;
    let mut rows = all.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (first, last) = (row.get(0)?, row.get(1)?);
        if sum(first, last) != row.get::<_, u32>(2)? {
            return Err(Trouble::Damaged);
        }
        if last <= up_to {
            found.push(first);
        }
    }
    Ok(found)
}

/// Takes out what lists only records up to this one.
pub(super) fn forget(base: &Connection, up_to: i64) -> std::result::Result<(), Trouble> {
    base.execute("DELETE FROM recent WHERE first <= ?1", [up_to])?;
    let spans = until(base, up_to)?;
    if spans.is_empty() {
        return Ok(());
    }
    // By class and span, since that is how they are found.
    let mut row = base.prepare("DELETE FROM held WHERE class = ?1 AND span = ?2")?;
    for class in classes::wanted(base, &Selection::default())? {
        for span in &spans {
            row.execute([class, *span])?;
        }
    }
    base.execute("DELETE FROM spans WHERE last <= ?1", [up_to])?;
    Ok(())
}
