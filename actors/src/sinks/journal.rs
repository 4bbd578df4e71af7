//! Audit records in the journal, as structured fields. `OBJECT_SYSTEMD_UNIT` makes `journalctl -u UNIT` show them.

use log::{Level, Record as Entry, kv::ToValue};

use super::{Failure, Sink};
use crate::record::Record;
use crate::written::Written;

/// The journal of this host.
pub(super) struct Journal;

impl Sink for Journal {
    fn deliver(&mut self, records: &[&Written]) -> Result<u64, Failure> {
        records.iter().for_each(|one| log(&one.record, &one.json));
        Ok(0)
    }
}

/// Writes a record through the process's logger (under systemd that is systemd-journal-logger, which turns key-values
/// into fields).
pub fn write(record: &Record) {
    log(record, &serde_json::to_string(record).unwrap_or_default());
}

fn log(record: &Record, json: &str) {
    let unit = record.service.as_ref().map(|service| format!("{service}.service"));
    let id = record.id.to_string();
    let revision = record.revision.map(|number| number.to_string());
    let access = record.access.map(policy::access::Access::name);
    let mut fields: Vec<(&str, log::kv::Value<'_>)> =
        vec![("AUDIT_ID", id.to_value()), ("AUDIT_RECORD", json.to_value())];
    let optional = [
        ("OBJECT_SYSTEMD_UNIT", unit.as_deref()),
        ("SERVICE", record.service.as_deref()),
        ("CAPABILITY", record.capability.as_deref()),
        ("ACCESS", access),
        ("VERDICT", record.verdict.as_deref()),
        ("RULE", record.rule.as_deref()),
        ("REVISION", revision.as_deref()),
        ("COMMAND", record.command.as_deref()),
    ];
    for (name, value) in &optional {
        if let Some(value) = value {
            fields.push((name, value.to_value()));
        }
    }
    // The journal takes a field more than once.
    let techniques = record.techniques.iter().flat_map(|one| [Some(&one.id), one.older.as_ref()]).flatten();
    fields.extend(techniques.map(|id| ("TECHNIQUE", id.to_value())));
    let level = if record.verdict.is_some() { Level::Warn } else { Level::Info };
    log::logger().log(
        &Entry::builder()
            .args(format_args!("{}", record.message))
            .level(level)
            .target("audit")
            .key_values(&fields.as_slice())
            .build(),
    );
}
