//! Forgetting: what the bounds exclude is taken out, some chapters at a time.

use rusqlite::Connection;

use super::schema::{PAGE, from_sql, last_in_blocks};
use super::trouble::Trouble;
use super::{Bounds, classes, span};
use crate::clock;

/// How many chapters are forgotten at once.
const AT_ONCE: i64 = 20;
/// This part of what is in use may be free in the file: the next records take its place. Giving it back means moving as many
/// pages.
const SPARE: i64 = 8;

/// Takes out what the bounds exclude; whether something was. The newest records stay whatever the bounds say.
pub(super) fn tend(base: &mut Connection, bounds: Bounds) -> Result<bool, Trouble> {
    let keep = i64::try_from(bounds.keep.as_millis()).unwrap_or(i64::MAX);
    let oldest = clock::now_ms().saturating_sub(keep);
    let mut forgot = false;
    while let Some((last, newest)) = first(base)? {
        if size(base)? <= bounds.total && newest >= oldest {
            break;
        }
        forget(base, last)?;
        forgot = true;
    }
    Ok(forgot)
}

/// The end of the first chapters, and the newest time in them, unless there are no others.
fn first(base: &Connection) -> rusqlite::Result<Option<(i64, i64)>> {
    let (count, last, newest): (i64, Option<i64>, Option<i64>) = base.query_row(
        "SELECT count(*), max(last), max(newest) FROM (SELECT last, newest FROM chapters ORDER BY first LIMIT ?1)",
        [AT_ONCE],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let end = last_in_blocks(base)?;
    Ok(last.zip(newest).filter(|(last, _)| count == AT_ONCE && *last < end))
}

/// Takes out every record up to this one, the last of a chapter.
pub(super) fn forget(base: &mut Connection, up_to: i64) -> Result<(), Trouble> {
    let taking = base.transaction()?;
    taking.execute("DELETE FROM loose WHERE id <= ?1", [up_to])?;
    taking.execute("DELETE FROM blocks WHERE first <= ?1", [up_to])?;
    taking.execute("DELETE FROM chapters WHERE first <= ?1", [up_to])?;
    span::forget(&taking, up_to)?;
    classes::forget(&taking)?;
    taking.execute("UPDATE floor SET id = max(id, ?1)", [up_to])?;
    taking.commit()?;
    let (used, free) = pages(base)?;
    let spare = used / SPARE;
    if free > spare {
        let mut vacuum = base.prepare(&format!("PRAGMA incremental_vacuum({})", free - spare))?;
        let mut moved = vacuum.query([])?;
        // One page for each step.
        while moved.next()?.is_some() {}
    }
    Ok(())
}

/// Pages in use, and free ones.
pub(super) fn pages(base: &Connection) -> rusqlite::Result<(i64, i64)> {
    let ask = |what: &str| base.query_row(what, [], |row| row.get::<_, i64>(0));
    let free = ask("PRAGMA freelist_count")?;
    Ok((ask("PRAGMA page_count")? - free, free))
}

/// Bytes in use.
fn size(base: &Connection) -> rusqlite::Result<u64> {
    let (used, _) = pages(base)?;
    Ok(from_sql(used.saturating_mul(i64::from(PAGE))))
}
