//! `bartizan audits`.

use std::io::Write as _;
use std::time::Duration;

use actors::record::Record;

use super::client::{Trouble, encode};
use super::get;
use crate::{CANNOT, GOOD};

/// How often `--follow` asks again.
const AGAIN: Duration = Duration::from_millis(500);

pub(super) fn print(service: Option<&str>, follow: bool, json: bool) -> Result<u8, Trouble> {
    let mut after = 0;
    loop {
        let filter = service.map(|name| format!("&service={}", encode(name))).unwrap_or_default();
        let (records, _): (Vec<Record>, String) = get(&format!("/v1/audits?after={after}{filter}"))?;
        let Some(last) = records.last().map(|record| record.id) else {
            if follow {
                std::thread::sleep(AGAIN);
                continue;
            }
            return Ok(GOOD);
        };
        after = last;
        match write(&records, json) {
            // Whoever read our output has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(GOOD),
            result => result.map_err(|error| Trouble::new(CANNOT, error.to_string()))?,
        }
    }
}

fn write(records: &[Record], json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for record in records {
        if json {
            writeln!(out, "{}", serde_json::to_string(record)?)?;
            continue;
        }
        let verdict = record.verdict.as_deref().unwrap_or("-");
        let times = if record.repeats.is_some() { format!(" ({} more)", record.count) } else { String::new() };
        let rule = record.rule.as_ref().map(|rule| format!(" [rule: {rule}]")).unwrap_or_default();
        writeln!(out, "{} {:>6} {verdict:<5} {}{times}{rule}", record.time, record.id, record.message)?;
    }
    out.flush()
}
