//! Classes: what may be asked for of a record beside its time, once for all records that are alike in it. There are few of
//! them, so that lists by class and id answer every question.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Transaction, params};

use super::trouble::Trouble;
use super::{loose, span};
use crate::keyed::Mixing;
use crate::record::Record;
use crate::selection::Selection;

/// Classes that are kept in memory by their words.
const MOST: usize = 20_000;

/// The numbers of classes.
#[derive(Debug, Default)]
pub(super) struct Classes {
    known: HashMap<String, i64, Mixing>,
    words: String,
}

/// The words of a class in one text. None of them holds a line feed: control characters are escaped in records.
fn words(record: &Record, to: &mut String) {
    to.clear();
    to.push_str(record.kind.name());
    for word in [record.verdict.as_deref(), record.service.as_deref()] {
        to.push('\n');
        to.push_str(word.unwrap_or_default());
    }
    for name in &record.capabilities {
        to.push('\n');
        to.push_str(name);
    }
}

impl Classes {
    /// The number of a record's class, which is made if there is none.
    pub(super) fn number(&mut self, record: &Record, to: &Transaction<'_>) -> rusqlite::Result<i64> {
        words(record, &mut self.words);
        if let Some(number) = self.known.get(&self.words) {
            return Ok(*number);
        }
        let mut make = to.prepare_cached(
            "INSERT INTO classes (kind, verdict, service, capabilities) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET kind = excluded.kind RETURNING class",
        )?;
        let mut parts = self.words.splitn(4, '\n');
        let mut next = || parts.next().unwrap_or_default();
        let number = make.query_row([next(), next(), next(), next()], |row| row.get(0))?;
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(self.words.clone(), number);
        Ok(number)
    }
}

/// The classes of which a selection may want records.
pub(super) fn wanted(base: &Connection, wanted: &Selection) -> rusqlite::Result<Vec<i64>> {
    let mut all = base.prepare(
        "SELECT class, kind, capabilities FROM classes
         WHERE (?1 IS NULL OR service = ?1) AND (?2 IS NULL OR verdict = ?2)",
    )?;
    let mut rows = all.query(params![wanted.service, wanted.verdict])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (kind, capabilities) = (row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
        let is_kind = wanted.kinds.is_empty() || wanted.kinds.iter().any(|one| one.name() == kind);
        let has = |name: &str| wanted.capabilities.iter().any(|one| one == name);
        if is_kind && (wanted.capabilities.is_empty() || capabilities.split('\n').any(has)) {
            found.push(row.get(0)?);
        }
    }
    Ok(found)
}

/// Takes out the classes of which no record is left.
pub(super) fn forget(base: &Connection) -> Result<(), Trouble> {
    let mut unheld = base
        .prepare("SELECT class FROM classes WHERE NOT EXISTS (SELECT 1 FROM held WHERE held.class = classes.class)")?;
    let unheld: Vec<i64> = unheld.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    if unheld.is_empty() {
        return Ok(());
    }
    let used: HashSet<i64, Mixing> =
        span::recent(base)?.into_iter().chain(loose::entries(base)?).map(|entry| entry.class).collect();
    let mut take = base.prepare("DELETE FROM classes WHERE class = ?1")?;
    for class in unheld.iter().filter(|class| !used.contains(class)) {
        take.execute([class])?;
    }
    Ok(())
}
