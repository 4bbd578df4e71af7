//! Forgetting: what the bounds exclude is taken out, some chapters at a time.

use rusqlite::Connection;

use super::schema::{PAGE, from_sql};
use super::state::State;
use super::trouble::Trouble;
use super::{Bounds, chapters, classes, span};
use crate::clock;

/// How many chapters are forgotten at once, where there are more than that. Of fewer, one goes at a time: a small store would
/// lose half of what it has, or not be kept small at all.
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
fn first(base: &Connection) -> Result<Option<(i64, i64)>, Trouble> {
    let mut first = chapters::first(base, AT_ONCE + 1)?;
    if first.len() < 2 {
        return Ok(None);
    }
    first.truncate(if first.len() as i64 > AT_ONCE { AT_ONCE as usize } else { 1 });
    let newest = first.iter().map(|chapter| chapter.newest).max();
    Ok(first.last().map(|chapter| chapter.last).zip(newest))
}

/// Takes out every record up to this one, the last of a chapter.
pub(super) fn forget(base: &mut Connection, up_to: i64) -> Result<(), Trouble> {
    let taking = base.transaction()?;
    let before = State::checked(&taking)?;
    let state = State { floor: before.floor.max(up_to), ..before };
    taking.execute("DELETE FROM loose WHERE id <= ?1", [up_to])?;
    taking.execute("DELETE FROM blocks WHERE first <= ?1", [up_to])?;
    taking.execute("DELETE FROM chapters WHERE first <= ?1", [up_to])?;
    span::forget(&taking, up_to)?;
    // Now the tables agree with it again, and are looked at for classes that nothing is of.
    state.update(&taking)?;
    classes::forget(&taking)?;
    state.update(&taking)?;
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
