//! A question to the store, as SQL: the most telling condition leads, by its index, and the rest is judged within it.

use rusqlite::types::Value;
use rusqlite::{Connection, Result, params_from_iter};

use super::schema::{BLOCK, to_sql};
use crate::messages::FindRecords;
use crate::record::Record;

/// Ids that times allow: from, to.
fn span(base: &Connection, find: &FindRecords) -> Result<(i64, i64)> {
    let (mut from, mut to) = (to_sql(find.after) + 1, i64::MAX);
    if find.wanted.since.is_none() && find.wanted.until.is_none() {
        return Ok((from, to));
    }
    let since = find.wanted.since.map_or(i64::MIN, |time| time.as_millisecond());
    let until = find.wanted.until.map_or(i64::MAX, |time| time.as_millisecond());
    let blocks: (Option<i64>, Option<i64>) = base.query_row(
        "SELECT min(block), max(block) FROM blocks WHERE newest >= ?1 AND oldest <= ?2",
        [since, until],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (Some(first), Some(last)) = blocks else { return Ok((1, 0)) };
    from = from.max(first << BLOCK);
    to = to.min(((last + 1) << BLOCK) - 1);
    Ok((from, to))
}

/// Text that says which rows, with the values that it names.
struct Sql {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Sql {
    fn one(&mut self, condition: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.conditions.push(format!("{condition} ?{}", self.values.len()));
    }

    fn any(&mut self, column: &str, values: impl Iterator<Item = String>) {
        let places: Vec<String> = values
            .map(|value| {
                self.values.push(value.into());
                format!("?{}", self.values.len())
            })
            .collect();
        self.conditions.push(format!("{column} IN ({})", places.join(", ")));
    }
}

/// What the store has of it, in the order of ids.
pub(super) fn run(base: &Connection, find: &FindRecords) -> Result<Vec<Record>> {
    let wanted = &find.wanted;
    let (from, to) = span(base, find)?;
    // All columns that are asked for are in both tables.
    let (table, index) = match (wanted.capabilities.len(), &wanted.service, &wanted.verdict, wanted.kinds.len()) {
        (0, Some(_), ..) => ("records", "INDEXED BY by_service"),
        (0, None, _, 1) => ("records", "INDEXED BY by_kind"),
        (0, None, Some(_), _) => ("records", "INDEXED BY by_verdict"),
        (0, None, None, _) => ("records", "NOT INDEXED"),
        _ => ("capabilities", ""),
    };
    let mut sql = Sql { conditions: Vec::new(), values: Vec::new() };
    sql.one("id >=", from);
    sql.one("id <=", to);
    if !wanted.capabilities.is_empty() {
        sql.any("name", wanted.capabilities.iter().cloned());
    }
    if let Some(service) = &wanted.service {
        sql.one("service =", service.clone());
    }
    if let Some(verdict) = &wanted.verdict {
        sql.one("verdict =", verdict.clone());
    }
    if !wanted.kinds.is_empty() {
        sql.any("kind", wanted.kinds.iter().map(|kind| kind.name().to_owned()));
    }
    if let Some(since) = wanted.since {
        sql.one("time >=", since.as_millisecond());
    }
    if let Some(until) = wanted.until {
        sql.one("time <", until.as_millisecond());
    }
    let order = if find.newest { "DESC" } else { "ASC" };
    sql.values.push(i64::try_from(find.limit).unwrap_or(i64::MAX).into());
    let distinct = if wanted.capabilities.len() > 1 { "DISTINCT" } else { "" };
    let text = format!(
        "SELECT record FROM (SELECT {distinct} id AS wanted FROM {table} {index} WHERE {} ORDER BY id {order} LIMIT ?{})
         CROSS JOIN records ON records.id = wanted ORDER BY wanted",
        sql.conditions.join(" AND "),
        sql.values.len(),
    );
    let mut statement = base.prepare(&text)?;
    let rows = statement.query_map(params_from_iter(sql.values), |row| row.get::<_, String>(0))?;
    rows.map(|text| {
        let text = text?;
        serde_json::from_str(&text)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into()))
    })
    .collect()
}
