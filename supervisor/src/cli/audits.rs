//! `bartizan audits`.

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
        for record in &records {
            one(record, json)?;
            after = after.max(record.id);
        }
        if !follow {
            return Ok(GOOD);
        }
        std::thread::sleep(AGAIN);
    }
}

fn one(record: &Record, json: bool) -> Result<(), Trouble> {
    if json {
        let text = serde_json::to_string(record).map_err(|error| Trouble::new(CANNOT, error.to_string()))?;
        println!("{text}");
        return Ok(());
    }
    let verdict = record.verdict.as_deref().unwrap_or("-");
    let times = if record.repeats.is_some() { format!(" ({} more)", record.count) } else { String::new() };
    let rule = record.rule.as_ref().map(|rule| format!(" [rule: {rule}]")).unwrap_or_default();
    println!("{} {:>6} {verdict:<5} {}{times}{rule}", record.time, record.id, record.message);
    Ok(())
}
