//! Records that came alone, a row each, until they are enough for blocks. A record here hides one with the same id in a block,
//! which is how records that are there already are replaced.

use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::block::Line;
use super::entry::Entry;
use super::packed::{self, Table};
use super::trouble::Trouble;

fn sum(entry: Entry, text: &[u8]) -> u32 {
    packed::sum(Table::Loose, &[entry.id, entry.class, entry.ms], text)
}

/// Puts records in.
pub(super) fn put(to: &Connection, lines: &[Line<'_>]) -> Result<()> {
    let mut row = to.prepare_cached("INSERT OR REPLACE INTO loose VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for Line { entry, text } in lines {
        row.execute(params![entry.id, entry.class, entry.ms, sum(*entry, text), text])?;
    }
    Ok(())
}

/// How many have a larger id.
pub(super) fn count_after(base: &Connection, id: i64) -> Result<i64> {
    base.prepare_cached("SELECT count(*) FROM loose WHERE id > ?1")?.query_row([id], |row| row.get(0))
}

/// Those with a larger id.
pub(super) fn after(base: &Connection, id: i64) -> std::result::Result<Vec<(Entry, Vec<u8>)>, Trouble> {
    let mut all = base.prepare_cached("SELECT id, class, ms, sum, record FROM loose WHERE id > ?1 ORDER BY id")?;
    let mut rows = all.query([id])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let entry = Entry { id: row.get(0)?, class: row.get(1)?, ms: row.get(2)? };
        let text: Vec<u8> = row.get(4)?;
        if sum(entry, &text) != row.get::<_, u32>(3)? {
            return Err(Trouble::Damaged);
        }
        found.push((entry, text));
    }
    Ok(found)
}

/// All of them, without their texts, which are looked at all the same: one whose class was changed would not be found.
pub(super) fn entries(base: &Connection) -> std::result::Result<Vec<Entry>, Trouble> {
    let mut all = base.prepare_cached("SELECT id, class, ms, sum, record FROM loose ORDER BY id")?;
    let mut rows = all.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let entry = Entry { id: row.get(0)?, class: row.get(1)?, ms: row.get(2)? };
        if sum(entry, row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?) != row.get::<_, u32>(3)? {
            return Err(Trouble::Damaged);
        }
        found.push(entry);
    }
    Ok(found)
}

/// The text of one.
pub(super) fn text(base: &Connection, entry: Entry) -> std::result::Result<Vec<u8>, Trouble> {
    let mut one = base.prepare_cached("SELECT sum, record FROM loose WHERE id = ?1")?;
    let found: Option<(u32, Vec<u8>)> = one.query_row([entry.id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    found.filter(|(told, text)| sum(entry, text) == *told).map(|(_, text)| text).ok_or(Trouble::Damaged)
}

/// Takes out those with a larger id.
pub(super) fn take_after(base: &Connection, id: i64) -> Result<()> {
    base.prepare_cached("DELETE FROM loose WHERE id > ?1")?.execute([id]).map(drop)
}
