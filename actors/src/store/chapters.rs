//! Chapters: the blocks that were written together, and the oldest and the newest time in them. There are few, so each is
//! compared with its checksum whenever it is read.

use rusqlite::{Connection, Transaction, params};

use super::packed::{self, Table};
use super::state::State;
use super::trouble::Trouble;

/// A chapter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chapter {
    /// The last record of the chapter before.
    pub(super) before: i64,
    pub(super) first: i64,
    pub(super) last: i64,
    /// In milliseconds since 1970.
    pub(super) oldest: i64,
    pub(super) newest: i64,
}

impl Chapter {
    fn sum(self) -> u32 {
        packed::sum(Table::Chapters, &[self.before, self.first, self.last, self.oldest, self.newest], &[])
    }

    /// Adds it.
    pub(super) fn put(self, to: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut row = to.prepare_cached("INSERT INTO chapters VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        row.execute(params![self.first, self.before, self.last, self.oldest, self.newest, self.sum()]).map(drop)
    }
}

fn read(base: &Connection, order: &str, most: i64) -> Result<Vec<Chapter>, Trouble> {
    let mut some = base.prepare_cached(&format!(
        "SELECT first, before, last, oldest, newest, sum FROM chapters ORDER BY first {order} LIMIT ?1"
    ))?;
    let mut rows = some.query([most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (first, before, last) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let chapter = Chapter { before, first, last, oldest: row.get(3)?, newest: row.get(4)? };
        if chapter.sum() != row.get::<_, u32>(5)? {
            return Err(Trouble::Damaged);
        }
        found.push(chapter);
    }
    Ok(found)
}

/// The first ones, at most so many.
pub(super) fn first(base: &Connection, most: i64) -> Result<Vec<Chapter>, Trouble> {
    let found = read(base, "ASC", most)?;
    let mut end = State::read(base)?.floor;
    for chapter in &found {
        if chapter.before != end {
            return Err(Trouble::Damaged);
        }
        end = chapter.last;
    }
    Ok(found)
}

/// All of them.
pub(super) fn all(base: &Connection) -> Result<Vec<Chapter>, Trouble> {
    first(base, i64::MAX)
}

/// The newest record in a block; 0: none.
pub(super) fn end(base: &Connection) -> Result<i64, Trouble> {
    Ok(read(base, "DESC", 1)?.first().map_or(0, |chapter| chapter.last))
}
