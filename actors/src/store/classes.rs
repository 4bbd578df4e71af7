//! Classes: what may be asked for of a record beside its time, once for all records that are alike in it. There are few of
//! them, so that lists by class and id answer every question.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::packed::{self, Table};
use super::state::State;
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
    pub(super) fn number(&mut self, record: &Record, to: &Transaction<'_>) -> Result<i64, Trouble> {
        words(record, &mut self.words);
        if let Some(number) = self.known.get(&self.words) {
            return Ok(*number);
        }
        let number = find_or_make(&self.words, to)?;
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(self.words.clone(), number);
        Ok(number)
    }
}

/// The checksum of a class, with its words as [`words`] has them, and the newest span in which it is held.
fn sum(class: i64, held: i64, words: &str) -> u32 {
    packed::sum(Table::Classes, &[class, held], words.as_bytes())
}

fn find_or_make(words: &str, to: &Transaction<'_>) -> Result<i64, Trouble> {
    let mut parts = words.splitn(4, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let (kind, verdict, service, capabilities) = (next(), next(), next(), next());
    let mut find = to.prepare_cached(
        "SELECT class, held, sum FROM classes WHERE service = ?1 AND verdict = ?2 AND kind = ?3 AND capabilities = ?4",
    )?;
    let found: Option<(i64, i64, u32)> = find
        .query_row([service, verdict, kind, capabilities], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    if let Some((class, held, told)) = found {
        return if sum(class, held, words) == told { Ok(class) } else { Err(Trouble::Damaged) };
    }
    // The number is part of the checksum, so it is chosen here.
    let largest: Option<i64> = to.query_row("SELECT max(class) FROM classes", [], |row| row.get(0))?;
    let class = largest.unwrap_or(0).checked_add(1).ok_or(Trouble::Damaged)?;
    let mut make = to.prepare_cached("INSERT INTO classes VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)")?;
    make.execute(params![class, kind, verdict, service, capabilities, sum(class, 0, words)])?;
    Ok(class)
}

/// Notes that records of a class are held in this span, the newest; the one before, or 0.
pub(super) fn hold(base: &Connection, class: i64, span: i64) -> Result<i64, Trouble> {
    let mut find =
        base.prepare_cached("SELECT kind, verdict, service, capabilities, held, sum FROM classes WHERE class = ?1")?;
    let mut rows = find.query([class])?;
    let row = rows.next()?.ok_or(Trouble::Damaged)?;
    let mut words = String::new();
    read_words(row, 0, &mut words)?;
    let before = row.get(4)?;
    if sum(class, before, &words) != row.get::<_, u32>(5)? {
        return Err(Trouble::Damaged);
    }
    let mut note = base.prepare_cached("UPDATE classes SET held = ?2, sum = ?3 WHERE class = ?1")?;
    note.execute(params![class, span, sum(class, span, &words)])?;
    Ok(before)
}

/// The words of a class of which kind, verdict, service and capabilities are in a row from this column on.
fn read_words<'a>(row: &'a rusqlite::Row<'_>, from: usize, words: &mut String) -> Result<[&'a str; 4], Trouble> {
    let part = |at: usize| row.get_ref(from + at)?.as_str().map_err(rusqlite::Error::from);
    let parts = [part(0)?, part(1)?, part(2)?, part(3)?];
    words.clear();
    for (at, part) in parts.into_iter().enumerate() {
        // Nothing is behind the service of a class without capabilities.
        if at > 0 && (at < 3 || !part.is_empty()) {
            words.push('\n');
        }
        words.push_str(part);
    }
    Ok(parts)
}

/// The classes of which a selection may want records, each with the newest span that holds some, or 0. All are read, and compared
/// with their checksums: one that was changed would be left out otherwise, and nobody would notice.
pub(super) fn wanted(base: &Connection, wanted: &Selection) -> Result<Vec<(i64, i64)>, Trouble> {
    let mut all = base.prepare("SELECT class, kind, verdict, service, capabilities, held, sum FROM classes")?;
    let mut rows = all.query([])?;
    let (mut found, mut words, mut count) = (Vec::new(), String::new(), 0);
    while let Some(row) = rows.next()? {
        let class = row.get(0)?;
        let [kind, verdict, service, capabilities] = read_words(row, 1, &mut words)?;
        let held = row.get(5)?;
        if sum(class, held, &words) != row.get::<_, u32>(6)? {
            return Err(Trouble::Damaged);
        }
        count += 1;
        let is = |wish: &Option<String>, word: &str| wish.as_ref().is_none_or(|wish| wish == word);
        let is_kind = wanted.kinds.is_empty() || wanted.kinds.iter().any(|one| one.name() == kind);
        let has = |name: &str| wanted.capabilities.iter().any(|one| one == name);
        let has_any = wanted.capabilities.is_empty() || capabilities.split('\n').any(has);
        if is_kind && has_any && is(&wanted.verdict, verdict) && is(&wanted.service, service) {
            found.push((class, held));
        }
    }
    if count == State::read(base)?.classes { Ok(found) } else { Err(Trouble::Damaged) }
}

/// Takes out the classes of which no record is left.
pub(super) fn forget(base: &Connection) -> Result<(), Trouble> {
    let mut unheld = base
        .prepare("SELECT class FROM classes WHERE NOT EXISTS (SELECT 1 FROM held WHERE held.class = classes.class)")?;
    let unheld: HashSet<i64, Mixing> = unheld.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    if unheld.is_empty() {
        return Ok(());
    }
    // One that is held in a span that there is has lost its row.
    let oldest = span::all(base)?.first().map_or(i64::MAX, |(first, _)| *first);
    if wanted(base, &Selection::default())?.iter().any(|(class, held)| *held >= oldest && unheld.contains(class)) {
        return Err(Trouble::Damaged);
    }
    let used: HashSet<i64, Mixing> =
        span::recent(base)?.into_iter().chain(loose::entries(base)?).map(|entry| entry.class).collect();
    let mut take = base.prepare("DELETE FROM classes WHERE class = ?1")?;
    for class in unheld.iter().filter(|class| !used.contains(class)) {
        take.execute([class])?;
    }
    Ok(())
}
