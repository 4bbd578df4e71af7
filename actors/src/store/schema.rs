//! Tables of the store. Records come in one of two ways, and each is in one of two places:
//!
//! - `loose`: few, a row each, which wait for more;
//! - `blocks` ([`super::block`]): all others.
//!
//! The blocks that were written together are a chapter; `chapters` has the oldest and the newest time in it, which turns times
//! into a range of ids, however the clock was set meanwhile. Records have a class ([`super::classes`]). Those of the newest
//! chapters are listed in `recent`, a row for each chapter; the list of many chapters then becomes a span, with a row in
//! `held` for each class that is in it ([`super::span`]). Of each chain of rows each has a checksum and names the one before, and
//! where it ends is known; `state` counts the rows that are in none ([`super::state`]).

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::block::Block;
use super::state::State;
use super::trouble::Trouble;
use super::{chapters, classes, loose, span};
use crate::selection::Selection;

/// Number of this schema; a store with another one is made anew.
const VERSION: i64 = 5;
/// Bytes of a page. The longer, the less a record costs, and the more is read for one.
pub(super) const PAGE: u32 = 16_384;

const TABLES: &str = "
    CREATE TABLE loose (
        id INTEGER PRIMARY KEY, class INTEGER NOT NULL, ms INTEGER NOT NULL, sum INTEGER NOT NULL, record BLOB NOT NULL
    );
    CREATE TABLE blocks (first INTEGER PRIMARY KEY, records BLOB NOT NULL);
    CREATE TABLE chapters (
        first INTEGER PRIMARY KEY, before INTEGER NOT NULL, last INTEGER NOT NULL, oldest INTEGER NOT NULL,
        newest INTEGER NOT NULL, sum INTEGER NOT NULL
    );
    CREATE TABLE recent (first INTEGER PRIMARY KEY, entries BLOB NOT NULL);
    CREATE TABLE spans (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, sum INTEGER NOT NULL);
    CREATE TABLE held (
        class INTEGER NOT NULL, span INTEGER NOT NULL, entries BLOB NOT NULL, PRIMARY KEY (class, span)
    ) WITHOUT ROWID;
    CREATE TABLE classes (
        class INTEGER PRIMARY KEY, kind TEXT NOT NULL, verdict TEXT NOT NULL, service TEXT NOT NULL, capabilities TEXT NOT NULL,
        held INTEGER NOT NULL, sum INTEGER NOT NULL, UNIQUE (service, verdict, kind, capabilities)
    );
    CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1), floor INTEGER NOT NULL, loose INTEGER NOT NULL, classes INTEGER NOT NULL,
        spans INTEGER NOT NULL, sum INTEGER NOT NULL
    );
";

/// Opens the store to write, making it where there is none.
pub(super) fn open(path: &Path) -> Result<Connection, Trouble> {
    // SQLite makes the files beside it with the same mode. Where this fails SQLite says why.
    let _ = OpenOptions::new().append(true).create_new(true).mode(0o640).open(path);
    let mut base = Connection::open(path)?;
    base.busy_timeout(std::time::Duration::from_secs(5))?;
    let version = version(&base)?;
    if version == 0 {
        // The tables and the number are written together: without it there is nothing, or the number was changed.
        if base.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))? > 0 {
            return Err(Trouble::Damaged);
        }
        base.execute_batch(&format!("PRAGMA page_size = {PAGE}; PRAGMA auto_vacuum = INCREMENTAL;"))?;
        let making = base.transaction()?;
        making.execute_batch(TABLES)?;
        State::default().update(&making)?;
        making.pragma_update(None, "user_version", VERSION)?;
        making.commit()?;
    } else if version != VERSION {
        return Err(Trouble::Version);
    } else if base.is_readonly("main")? && OpenOptions::new().append(true).open(path).is_ok() {
        // Its header says that it is of a kind that is only read.
        return Err(Trouble::Damaged);
    }
    // What a power cut takes from the store, the trail gives back. Both sizes are 4 MiB and 2 MiB.
    base.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 256; PRAGMA cache_size = -2048;",
    )?;
    Ok(base)
}

/// Opens the store to read.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let base = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    base.busy_timeout(std::time::Duration::from_secs(1))?;
    Ok(base)
}

fn version(base: &Connection) -> rusqlite::Result<i64> {
    base.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Looks for damage in all but `blocks` and `held`, which are nearly all of the file: of these each row has a checksum, which
/// is looked at whenever the row is, and of `blocks` the newest, where a crash would have left its traces. A file that is
/// shorter than it says SQLite does not open.
pub(super) fn check(base: &Connection) -> Result<(), Trouble> {
    // Somebody else may be writing it.
    let base = base.unchecked_transaction()?;
    if version(&base)? != VERSION {
        return Err(Trouble::Version);
    }
    check_tables(&base)?;
    for table in ["loose", "chapters", "recent", "spans", "classes", "state"] {
        let said: String = base.query_row(&format!("PRAGMA quick_check({table})"), [], |row| row.get(0))?;
        if said != "ok" {
            return Err(Trouble::Damaged);
        }
    }
    loose::after(&base, i64::MIN)?;
    span::recent(&base)?;
    classes::wanted(&base, &Selection::default())?;
    State::checked(&base)?;
    let newest = base
        .query_row("SELECT first, records FROM blocks ORDER BY first DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let end = match newest {
        Some((first, bytes)) => {
            let bytes: Vec<u8> = bytes;
            Block::read(first, &bytes)?.entries.last().map_or(0, |(entry, _)| entry.id)
        }
        None => 0,
    };
    if end == chapters::all(&base)?.last().map_or(0, |chapter| chapter.last) { Ok(()) } else { Err(Trouble::Damaged) }
}

/// Whether the tables are described as they were: with another word in it a description may still be one.
fn check_tables(base: &Connection) -> Result<(), Trouble> {
    let mut all = base.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")?;
    let all: Vec<String> = all.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let right = TABLES.split(';').map(str::trim).filter(|table| !table.is_empty());
    if right.eq(all.iter().map(String::as_str)) { Ok(()) } else { Err(Trouble::Damaged) }
}

/// The newest record; 0: none.
pub(super) fn newest(base: &Connection) -> Result<u64, Trouble> {
    let loose: Option<i64> = base.query_row("SELECT max(id) FROM loose", [], |row| row.get(0))?;
    Ok(from_sql(loose.unwrap_or(0).max(chapters::end(base)?)).max(floor(base)?))
}

/// Records up to this one are not in the store any more.
pub(super) fn floor(base: &Connection) -> Result<u64, Trouble> {
    Ok(from_sql(State::read(base)?.floor))
}

/// SQLite's numbers have a sign; ids never use it.
pub(super) fn to_sql(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

pub(super) fn from_sql(id: i64) -> u64 {
    u64::try_from(id).unwrap_or(0)
}
