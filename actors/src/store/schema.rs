//! Tables of the store. Records have a class ([`super::classes`]), and the one index is by class and id.
//! `blocks` has the oldest and the newest time among 1,024 ids each: it turns times into a range of ids, however the
//! clock was set meanwhile.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Result, Transaction, params};

use super::classes::{self, Classes};
use crate::written::Written;

/// Number of this schema; a store with another one is made anew.
const VERSION: i64 = 2;
/// Ids in a block, as a power of two.
pub(super) const BLOCK: u32 = 10;

const TABLES: &str = "
    PRAGMA auto_vacuum = INCREMENTAL;
    CREATE TABLE records (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, class INTEGER NOT NULL, record TEXT NOT NULL);
    CREATE INDEX by_class ON records (class);
    CREATE TABLE classes (
        class INTEGER PRIMARY KEY, kind TEXT NOT NULL, verdict TEXT NOT NULL, service TEXT NOT NULL, capabilities TEXT NOT NULL,
        UNIQUE (service, verdict, kind, capabilities)
    );
    CREATE TABLE blocks (block INTEGER PRIMARY KEY, oldest INTEGER NOT NULL, newest INTEGER NOT NULL);
    CREATE TABLE floor (one INTEGER PRIMARY KEY CHECK (one = 1), id INTEGER NOT NULL);
    INSERT INTO floor VALUES (1, 0);
";

/// Opens the store to write, making it where there is none. `None`: it is of another version.
pub(super) fn open(path: &Path) -> Result<Option<Connection>> {
    // SQLite makes the files beside it with the same mode. Where this fails SQLite says why.
    let _ = OpenOptions::new().append(true).create(true).mode(0o640).open(path);
    let mut base = Connection::open(path)?;
    base.busy_timeout(std::time::Duration::from_secs(5))?;
    let version: i64 = base.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version == 0 {
        base.execute_batch("PRAGMA auto_vacuum = INCREMENTAL;")?;
        let making = base.transaction()?;
        making.execute_batch(TABLES)?;
        making.pragma_update(None, "user_version", VERSION)?;
        making.commit()?;
    } else if version != VERSION {
        return Ok(None);
    }
    // What a power cut takes from the store, the trail gives back.
    base.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -2048;")?;
    Ok(Some(base))
}

/// Opens the store to read.
pub(super) fn open_to_read(path: &Path) -> Result<Connection> {
    let base = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    base.busy_timeout(std::time::Duration::from_secs(1))?;
    Ok(base)
}

/// Whether SQLite finds nothing wrong with the file.
pub(super) fn is_sound(base: &Connection) -> Result<bool> {
    base.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)).map(|said| said == "ok")
}

/// The newest record; 0: none.
pub(super) fn newest(base: &Connection) -> Result<u64> {
    let found: Option<i64> = base.query_row("SELECT max(id) FROM records", [], |row| row.get(0))?;
    Ok(found.map_or(0, from_sql).max(floor(base)?))
}

/// Records up to this one are not in the store any more.
pub(super) fn floor(base: &Connection) -> Result<u64> {
    base.query_row("SELECT id FROM floor", [], |row| row.get(0)).optional().map(|id| id.map_or(0, from_sql))
}

/// SQLite's numbers have a sign; ids never use it.
pub(super) fn to_sql(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

pub(super) fn from_sql(id: i64) -> u64 {
    u64::try_from(id).unwrap_or(0)
}

/// Puts records in; those that are there already are replaced.
pub(super) fn insert(to: &Transaction<'_>, classes: &mut Classes, records: &[&Written]) -> Result<()> {
    let mut row = to.prepare_cached("INSERT OR REPLACE INTO records VALUES (?1, ?2, ?3, ?4)")?;
    let mut blocks = BTreeMap::new();
    for Written { record, json, ms } in records {
        let id = to_sql(record.id);
        row.execute(params![id, ms, classes.number(record, to)?, json.to_string()])?;
        let (oldest, newest) = blocks.entry(id >> BLOCK).or_insert((*ms, *ms));
        (*oldest, *newest) = ((*oldest).min(*ms), (*newest).max(*ms));
    }
    let mut block = to.prepare_cached(
        "INSERT INTO blocks VALUES (?1, ?2, ?3)
         ON CONFLICT (block) DO UPDATE SET oldest = min(oldest, ?2), newest = max(newest, ?3)",
    )?;
    for (number, (oldest, newest)) in blocks {
        block.execute(params![number, oldest, newest])?;
    }
    Ok(())
}

/// Takes out every record up to this one.
pub(super) fn forget(base: &mut Connection, up_to: u64) -> Result<()> {
    let taking = base.transaction()?;
    classes::forget(&taking, up_to)?;
    let up_to = to_sql(up_to);
    taking.execute("DELETE FROM records WHERE id <= ?1", [up_to])?;
    taking.execute("DELETE FROM blocks WHERE block < (?1 + 1) >> ?2", [up_to, i64::from(BLOCK)])?;
    taking.execute("UPDATE floor SET id = max(id, ?1)", [up_to])?;
    taking.commit()?;
    base.execute_batch("PRAGMA incremental_vacuum;")
}

/// Bytes in use.
pub(super) fn size(base: &Connection) -> Result<u64> {
    let ask = |what: &str| base.query_row(what, [], |row| row.get::<_, i64>(0));
    let pages = ask("PRAGMA page_count")? - ask("PRAGMA freelist_count")?;
    Ok(from_sql(pages.saturating_mul(ask("PRAGMA page_size")?)))
}
