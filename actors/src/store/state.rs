//! What the store knows of its own tables, in one row: rows that are missing as a whole leave no trace in those that are there.
//! Rows of which there are few are counted here; those of which there are many name the one before ([`super::query`]).

use rusqlite::{Connection, params};

use super::packed::{self, Table};
use super::trouble::Trouble;

/// The row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Records up to this one are not in the store any more.
    pub(super) floor: i64,
    /// How many rows these tables have.
    pub(super) loose: i64,
    pub(super) classes: i64,
    pub(super) spans: i64,
}

impl State {
    fn sum(self) -> u32 {
        packed::sum(Table::State, &[self.floor, self.loose, self.classes, self.spans], &[])
    }

    /// As it was written.
    pub(super) fn read(base: &Connection) -> Result<State, Trouble> {
        let mut row = base.prepare_cached("SELECT floor, loose, classes, spans, sum FROM state")?;
        let (state, told) = row.query_row([], |row| {
            let state = State { floor: row.get(0)?, loose: row.get(1)?, classes: row.get(2)?, spans: row.get(3)? };
            Ok((state, row.get::<_, u32>(4)?))
        })?;
        if state.sum() == told { Ok(state) } else { Err(Trouble::Damaged) }
    }

    /// The same with the numbers of rows that there are.
    fn counted(self, base: &Connection) -> Result<State, Trouble> {
        let mut counts = base.prepare_cached(
            "SELECT (SELECT count(*) FROM loose), (SELECT count(*) FROM classes), (SELECT count(*) FROM spans)",
        )?;
        let (loose, classes, spans) = counts.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(State { floor: self.floor, loose, classes, spans })
    }

    /// As it was written, if there are as many rows as that says. Before rows are put in or taken out this is looked at, so that
    /// none that are missing are counted as if they had never been there.
    pub(super) fn checked(base: &Connection) -> Result<State, Trouble> {
        let state = State::read(base)?;
        if state.counted(base)? == state { Ok(state) } else { Err(Trouble::Damaged) }
    }

    /// Writes what there is now, with this floor, after rows were put in or taken out.
    pub(super) fn update(self, base: &Connection) -> Result<(), Trouble> {
        let now = self.counted(base)?;
        let mut row = base.prepare_cached("INSERT OR REPLACE INTO state VALUES (1, ?1, ?2, ?3, ?4, ?5)")?;
        row.execute(params![now.floor, now.loose, now.classes, now.spans, now.sum()])?;
        Ok(())
    }
}
