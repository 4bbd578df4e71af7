//! Audit records in the journal, as structured fields. `OBJECT_SYSTEMD_UNIT` makes `journalctl -u UNIT` show them.

use std::fmt;

use log::kv::{Error, Source, ToValue as _, Value, VisitSource};
use log::{Level, Record as Entry};
use policy::access::Access;

use super::{Failure, Sink};
use crate::record::Record;
use crate::written::Written;

/// The journal of this host.
pub(super) struct Journal;

impl Sink for Journal {
    fn deliver(&mut self, records: &[&Written]) -> Result<u64, Failure> {
        records.iter().for_each(|one| log(&one.record, &Value::from_display(&one.json)));
        Ok(0)
    }
}

/// Writes a record through the process's logger (under systemd that is systemd-journal-logger, which turns key-values
/// into fields).
pub fn write(record: &Record) {
    log(record, &serde_json::to_string(record).unwrap_or_default().to_value());
}

fn log(record: &Record, json: &Value<'_>) {
    let level = if record.verdict.is_some() { Level::Warn } else { Level::Info };
    log::logger().log(
        &Entry::builder()
            .args(format_args!("{}", record.message))
            .level(level)
            .target("audit")
            .key_values(&Fields { record, json, unit: record.service.as_deref().map(Unit) })
            .build(),
    );
}

/// The fields of a record beside its message.
struct Fields<'a> {
    record: &'a Record,
    json: &'a Value<'a>,
    unit: Option<Unit<'a>>,
}

/// The unit of a service.
struct Unit<'a>(&'a str);

impl fmt::Display for Unit<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}.service", self.0)
    }
}

impl Source for Fields<'_> {
    fn visit<'kvs>(&'kvs self, to: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        let Fields { record, json, unit } = self;
        let mut field = |name: &'static str, value: Value<'kvs>| to.visit_pair(name.into(), value);
        field("AUDIT_ID", record.id.to_value())?;
        field("AUDIT_RECORD", (*json).clone())?;
        if let Some(unit) = unit {
            field("OBJECT_SYSTEMD_UNIT", Value::from_display(unit))?;
        }
        let access = record.access.map(Access::name);
        let words = [
            ("SERVICE", record.service.as_deref()),
            ("CAPABILITY", record.capability.as_deref()),
            ("ACCESS", access),
            ("VERDICT", record.verdict.as_deref()),
            ("RULE", record.rule.as_deref()),
            ("COMMAND", record.command.as_deref()),
        ];
        for (name, value) in words {
            if let Some(value) = value {
                field(name, value.into())?;
            }
        }
        if let Some(revision) = record.revision {
            field("REVISION", revision.into())?;
        }
        // The journal takes a field more than once.
        let techniques = record.techniques.iter().flat_map(|one| [Some(&one.id), one.older.as_ref()]).flatten();
        techniques.into_iter().try_for_each(|id| field("TECHNIQUE", id.as_str().into()))
    }
}
