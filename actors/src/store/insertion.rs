//! Putting records in.

use rusqlite::{Transaction, params};

use super::block::{Builder, Line};
use super::chapters::Chapter;
use super::classes::Classes;
use super::entry::Entry;
use super::schema::to_sql;
use super::state::State;
use super::trouble::Trouble;
use super::{chapters, loose, span};
use crate::written::Written;

/// Records of a chapter, at least and at most. Fewer wait as rows of their own, and are then written a second time, which costs
/// less than all the rows and pages that many small chapters would have.
const LEAST: usize = 128;
const MOST: usize = 1_024;

/// Puts records in; those that are there already are replaced.
pub(super) fn insert(to: &Transaction<'_>, classes: &mut Classes, records: &[&Written]) -> Result<(), Trouble> {
    let state = State::checked(to)?;
    let mut lines = Vec::with_capacity(records.len());
    for Written { record, json, ms } in records {
        let entry = Entry { id: to_sql(record.id), class: classes.number(record, to)?, ms: *ms };
        lines.push(Line { entry, text: json.but_end().as_bytes() });
    }
    put_in_order(&mut lines);
    put(to, &lines)?;
    state.update(to)
}

fn put(to: &Transaction<'_>, lines: &[Line<'_>]) -> Result<(), Trouble> {
    let end = chapters::end(to)?;
    // What is written now would hide that the newest chapter is missing.
    if span::lists_after(to, end)? {
        return Err(Trouble::Damaged);
    }
    let (early, new) = lines.split_at(lines.partition_point(|line| line.entry.id <= end));
    loose::put(to, early)?;
    let waiting = loose::count_after(to, end)?;
    if usize::try_from(waiting).unwrap_or(usize::MAX).saturating_add(new.len()) < LEAST {
        return Ok(loose::put(to, new)?);
    }
    if waiting == 0 {
        return write(to, end, new);
    }
    let waited = loose::after(to, end)?;
    let mut all: Vec<Line<'_>> = waited.iter().map(|(entry, text)| Line { entry: *entry, text }).collect();
    all.extend_from_slice(new);
    put_in_order(&mut all);
    loose::take_after(to, end)?;
    write(to, end, &all)
}

/// In the order of ids; of several with the same id the last stays.
fn put_in_order(lines: &mut Vec<Line<'_>>) {
    if lines.is_sorted_by(|one, next| one.entry.id < next.entry.id) {
        return;
    }
    lines.sort_by_key(|line| line.entry.id);
    lines.dedup_by(|later, earlier| {
        let same = later.entry.id == earlier.entry.id;
        if same {
            *earlier = *later;
        }
        same
    });
}

/// Writes chapters, behind all that there are, of which the last record is `before`.
fn write(to: &Transaction<'_>, mut before: i64, lines: &[Line<'_>]) -> Result<(), Trouble> {
    let mut block = to.prepare_cached("INSERT INTO blocks VALUES (?1, ?2)")?;
    let mut builder = Builder::new();
    let chapters = lines.len().div_ceil(MOST).max(1);
    for chapter in lines.chunks(lines.len().div_ceil(chapters).max(1)) {
        let (Some(first), Some(last)) = (chapter.first(), chapter.last()) else { continue };
        builder.build(before, chapter, |first, bytes| block.execute(params![first, bytes]).map(drop))?;
        let times = chapter.iter().map(|line| line.entry.ms);
        let (oldest, newest) =
            times.fold((i64::MAX, i64::MIN), |(oldest, newest), ms| (oldest.min(ms), newest.max(ms)));
        let (first, last) = (first.entry.id, last.entry.id);
        Chapter { before, first, last, oldest, newest }.put(to)?;
        span::list(to, first, before, chapter.iter().map(|line| line.entry))?;
        before = last;
        span::make(to)?;
    }
    Ok(())
}
