//! For whom and how long a rule holds, and what people want to know about it.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::Reader;
use crate::rule::Facts;

pub(super) fn read(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Facts {
    Facts {
        hosts: words(reader, table, "hosts", "expected the name of a host, or one with a `*` at one end", host),
        expires: table.get("expires").and_then(|value| expires(reader, value)),
        owner: line(reader, table, "owner"),
        reason: line(reader, table, "reason"),
        tags: words(reader, table, "tags", "expected a word of printable characters", printable),
    }
}

fn printable(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(char::is_control)
}

fn host(text: &str) -> bool {
    let inner = text.strip_prefix('*').or_else(|| text.strip_suffix('*')).unwrap_or(text);
    !text.is_empty() && inner.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn line(reader: &mut Reader<'_>, table: &DeTable<'_>, key: &str) -> Option<String> {
    let value = table.get(key)?;
    let text = reader.string(value, "expected text in quotes")?;
    if !printable(text) {
        reader.refuse(value, "expected one line of printable characters");
    }
    Some(text.to_owned())
}

fn words(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    key: &str,
    expected: &str,
    fits: fn(&str) -> bool,
) -> Vec<String> {
    let Some(value) = table.get(key) else { return Vec::new() };
    let mut read = Vec::new();
    for one in reader.array(value, "expected at least one word in brackets").unwrap_or_default() {
        match one.get_ref().as_str().filter(|text| fits(text)) {
            Some(text) => read.push(text.to_owned()),
            None => reader.refuse(one, expected),
        }
    }
    read
}

/// A date or a time as TOML writes it, with quotes or without. Without an offset it is UTC, a date its midnight.
fn expires(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<i64> {
    let text = match value.get_ref() {
        DeValue::Datetime(time) => time.to_string(),
        DeValue::String(text) => text.to_string(),
        _ => String::new(),
    };
    let local = || text.parse::<DateTime>().ok().and_then(|time| time.to_zoned(TimeZone::UTC).ok());
    let end = text.parse::<jiff::Timestamp>().ok().or_else(|| local().map(|time| time.timestamp()));
    if end.is_none() {
        reader.refuse(value, "expected a date or a time such as 2027-01-31 or 2027-01-31T18:00:00Z");
    }
    end.map(jiff::Timestamp::as_millisecond)
}
