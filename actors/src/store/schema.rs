//! Tables of the store. Each index holds what else may be asked for, so that a row is touched only when it is wanted.
//! `blocks` has the oldest and the newest time among 1,024 ids each: it turns times into a range of ids, however the
//! clock was set meanwhile.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Result, Transaction, params};

use crate::clock;
use crate::record::Record;

/// Number of this schema; a store with another one is made anew.
const VERSION: i64 = 1;
/// Ids in a block, as a power of two.
pub(super) const BLOCK: u32 = 10;

const TABLES: &str = "
    PRAGMA auto_vacuum = INCREMENTAL;
    CREATE TABLE records (
        id INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, service TEXT, verdict TEXT, record TEXT NOT NULL
    );
    CREATE INDEX by_service ON records (service, id, verdict, kind, time);
    CREATE INDEX by_verdict ON records (verdict, id, kind, time);
    CREATE INDEX by_kind ON records (kind, id, verdict, time);
    CREATE TABLE capabilities (
        name TEXT NOT NULL, id INTEGER NOT NULL, service TEXT, verdict TEXT, kind TEXT NOT NULL, time INTEGER NOT NULL,
        PRIMARY KEY (name, id)
    ) WITHOUT ROWID;
    CREATE INDEX by_id ON capabilities (id);
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
pub(super) fn insert(to: &Transaction<'_>, records: &[Record]) -> Result<()> {
    let mut row = to.prepare_cached("INSERT OR REPLACE INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut capability = to.prepare_cached("INSERT OR REPLACE INTO capabilities VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut block = to.prepare_cached(
        "INSERT INTO blocks VALUES (?1, ?2, ?2)
         ON CONFLICT (block) DO UPDATE SET oldest = min(oldest, ?2), newest = max(newest, ?2)",
    )?;
    for record in records {
        let (id, time) = (to_sql(record.id), clock::ms_of_text(&record.time));
        let kind = record.kind.name();
        let text =
            serde_json::to_string(record).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        row.execute(params![id, time, kind, record.service, record.verdict, text])?;
        for name in &record.capabilities {
            capability.execute(params![name, id, record.service, record.verdict, kind, time])?;
        }
        block.execute(params![id >> BLOCK, time])?;
    }
    Ok(())
}

/// Takes out every record up to this one.
pub(super) fn forget(base: &mut Connection, up_to: u64) -> Result<()> {
    let up_to = to_sql(up_to);
    let taking = base.transaction()?;
    taking.execute("DELETE FROM records WHERE id <= ?1", [up_to])?;
    taking.execute("DELETE FROM capabilities WHERE id <= ?1", [up_to])?;
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
