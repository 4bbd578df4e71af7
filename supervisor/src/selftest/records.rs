//! The audit records of the self-test.

use std::time::{Duration, Instant};

use actors::record::Record;
use policy::selftest::{RULE, SERVICE};

use crate::cli::{Trouble, records_of};

/// How long the last record may take: repeats of an act are told about once a second.
const PATIENCE: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(300);

/// The newest id of a record of the self-test.
pub(super) fn newest() -> Result<u64, Trouble> {
    let mut newest = 0;
    while let Some(record) = records_of(SERVICE, newest)?.last() {
        newest = record.id;
    }
    Ok(newest)
}

/// Every record after this id, once there is one for each of the words, or after a while.
pub(super) fn wait_for(since: u64, wanted: &[&str]) -> Result<Vec<Record>, Trouble> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = records_of(SERVICE, since)?;
        let all = wanted.iter().all(|words| found.iter().any(|record| tells(record, words)));
        if all || Instant::now() > deadline {
            return Ok(found);
        }
        std::thread::sleep(AGAIN);
    }
}

/// Whether a record tells of the refusal of an act: by the self-test's rule, or by what guards Bartizan itself.
pub(super) fn tells(record: &Record, words: &str) -> bool {
    let own = record.kind == actors::record::Kind::Tamper;
    record.verdict.as_deref() == Some("deny")
        && (own || record.rule.as_deref() == Some(RULE))
        && record.message.contains(words)
}
