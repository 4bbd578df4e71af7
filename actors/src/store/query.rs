//! A question to the store: of each class that may be wanted the newest (or oldest) ids, until there are enough; then their
//! records.

use std::collections::BTreeSet;

use rusqlite::{Connection, Result, Statement, params};

use super::classes;
use super::schema::{BLOCK, to_sql};
use crate::messages::FindRecords;
use crate::record::Record;

/// Ids that times allow: from, to.
fn span(base: &Connection, find: &FindRecords) -> Result<(i64, i64)> {
    let (mut from, mut to) = (to_sql(find.after) + 1, i64::MAX);
    if find.wanted.since.is_none() && find.wanted.until.is_none() {
        return Ok((from, to));
    }
    let (since, until) = times(find);
    let blocks: (Option<i64>, Option<i64>) = base.query_row(
        "SELECT min(block), max(block) FROM blocks WHERE newest >= ?1 AND oldest < ?2",
        [since, until],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (Some(first), Some(last)) = blocks else { return Ok((1, 0)) };
    from = from.max(first << BLOCK);
    to = to.min(((last + 1) << BLOCK) - 1);
    Ok((from, to))
}

/// From when until before when, in milliseconds since 1970.
fn times(find: &FindRecords) -> (i64, i64) {
    let since = find.wanted.since.map_or(i64::MIN, |time| time.as_millisecond());
    let until = find.wanted.until.map_or(i64::MAX, |time| time.as_millisecond());
    (since, until)
}

/// Ids that were found, as many as are wanted.
struct Found<'a> {
    find: &'a FindRecords,
    ids: BTreeSet<i64>,
    from: i64,
    to: i64,
}

impl Found<'_> {
    /// Adds what `rows` finds between two ids; what it says about times is `from` and `until`, and last comes the limit.
    /// Whether all that it finds are wanted, as far as there is room for them.
    fn add(&mut self, rows: &mut Statement<'_>, class: Option<i64>) -> Result<()> {
        if self.from > self.to || self.find.limit == 0 {
            return Ok(());
        }
        let (since, until) = times(self.find);
        let limit = to_sql(u64::try_from(self.find.limit).unwrap_or(u64::MAX));
        let mut rows = rows.query(params![self.from, self.to, since, until, limit, class])?;
        while let Some(row) = rows.next()? {
            self.ids.insert(row.get(0)?);
        }
        while self.ids.len() > self.find.limit {
            if self.find.newest {
                self.ids.pop_first()
            } else {
                self.ids.pop_last()
            };
        }
        // Of other classes only what is newer (or older) than the last of these counts.
        if self.ids.len() == self.find.limit {
            if self.find.newest {
                self.from = self.ids.first().map_or(self.from, |worst| worst + 1);
            } else {
                self.to = self.ids.last().map_or(self.to, |worst| worst - 1);
            }
        }
        Ok(())
    }
}

/// The statement that finds ids of one class, or of all.
fn statement(find: &FindRecords, by_class: bool) -> String {
    let order = if find.newest { "DESC" } else { "ASC" };
    let (index, class) = if by_class { ("INDEXED BY by_class", "class = ?6") } else { ("NOT INDEXED", "?6 IS NULL") };
    // A condition that is not asked for would cost a look at each row.
    let timed = find.wanted.since.is_some() || find.wanted.until.is_some();
    let times = if timed { "time >= ?3 AND time < ?4" } else { "?3 <= ?4" };
    format!(
        "SELECT id FROM records {index} WHERE {class} AND id >= ?1 AND id <= ?2 AND {times} ORDER BY id {order} LIMIT ?5"
    )
}

/// What the store has of it, in the order of ids.
pub(super) fn run(base: &Connection, find: &FindRecords) -> Result<Vec<Record>> {
    // All that is asked and answered is of one moment.
    let moment = base.unchecked_transaction()?;
    let (from, to) = span(&moment, find)?;
    let mut found = Found { find, ids: BTreeSet::new(), from, to };
    let wanted = &find.wanted;
    let any = wanted.service.is_none()
        && wanted.verdict.is_none()
        && wanted.kinds.is_empty()
        && wanted.capabilities.is_empty();
    if any {
        found.add(&mut moment.prepare(&statement(find, false))?, None)?;
    } else {
        let mut rows = moment.prepare(&statement(find, true))?;
        for class in classes::wanted(&moment, wanted)? {
            found.add(&mut rows, Some(class))?;
        }
    }
    let mut record = moment.prepare("SELECT record FROM records WHERE id = ?1")?;
    let read = |id: &i64| {
        let text: String = record.query_row([id], |row| row.get(0))?;
        serde_json::from_str(&text)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into()))
    };
    found.ids.iter().map(read).collect()
}
