//! Logs of OpenTelemetry's protocol (OTLP 1.x) over HTTP in JSON.
//!
//! The structures here are the messages of the protocol, as far as Bartizan has something to say, with the names of the
//! protocol. They borrow from the record and live while it is written.

use std::fmt::{self, Display, Formatter};

use compact_str::CompactString;
use policy::access::Access;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::http::Post;
use super::output::{Output, as_text};
use super::severity::Severity;
use super::{Failure, Sink, Web};
use crate::host;
use crate::record::{Ancestor, Record, Shown};
use crate::written::Written;

/// A receiver of logs.
pub(super) struct Otlp(Post);

impl Otlp {
    pub(super) fn new(web: &Web) -> Otlp {
        Otlp(Post::new(web))
    }
}

impl Sink for Otlp {
    fn deliver(&mut self, records: &[&Written]) -> Result<u64, Failure> {
        let host = host::name();
        let body = |to: &mut Output, records: &[&Written]| to.json(&LogsData::of(records, &host));
        self.0.deliver(records, &body, &refused)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogsData<'a> {
    resource_logs: [ResourceLogs<'a>; 1],
}

impl<'a> LogsData<'a> {
    fn of(records: &'a [&'a Written], host: &'a str) -> LogsData<'a> {
        let attributes = [
            KeyValue::text("service.name", "bartizan"),
            KeyValue::text("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::text("host.name", host),
        ];
        let scope_logs = [ScopeLogs { scope: Scope { name: "bartizan.audit" }, log_records: LogRecords(records) }];
        LogsData { resource_logs: [ResourceLogs { resource: Resource { attributes }, scope_logs }] }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs<'a> {
    resource: Resource<'a>,
    scope_logs: [ScopeLogs<'a>; 1],
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: [KeyValue<'a>; 3],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs<'a> {
    scope: Scope,
    log_records: LogRecords<'a>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
}

/// A batch, of which each log is made when it is written.
struct LogRecords<'a>(&'a [&'a Written]);

impl Serialize for LogRecords<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(|one| LogRecord::of(one)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord<'a> {
    #[serde(serialize_with = "as_text")]
    time_unix_nano: i128,
    #[serde(serialize_with = "as_text")]
    observed_time_unix_nano: i128,
    severity_number: u8,
    severity_text: &'static str,
    body: AnyValue<'a>,
    attributes: Attributes<'a>,
}

impl<'a> LogRecord<'a> {
    fn of(Written { record, ms, .. }: &'a Written) -> LogRecord<'a> {
        let (severity_number, severity_text) = Severity::of(record).otlp();
        // In nanoseconds, a time far off does not fit into 64 bits.
        let time = i128::from(*ms) * 1_000_000;
        LogRecord {
            time_unix_nano: time,
            observed_time_unix_nano: time,
            severity_number,
            severity_text,
            body: AnyValue::StringValue(&record.message),
            attributes: Attributes(record),
        }
    }
}

#[derive(Serialize)]
struct KeyValue<'a> {
    key: &'static str,
    value: AnyValue<'a>,
}

impl<'a> KeyValue<'a> {
    fn text(key: &'static str, value: &'a str) -> KeyValue<'a> {
        KeyValue { key, value: AnyValue::StringValue(value) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum AnyValue<'a> {
    StringValue(&'a str),
    /// 64-bit numbers are text in protobuf's JSON.
    IntValue(#[serde(serialize_with = "as_text")] u64),
    ArrayValue(ArrayValue<'a>),
    /// Text that is made while it is written.
    #[serde(rename = "stringValue")]
    Parent(#[serde(serialize_with = "as_text")] Parent<'a>),
}

#[derive(Serialize)]
struct ArrayValue<'a> {
    values: Values<'a>,
}

/// Lists of a record, whose values are made when they are written.
enum Values<'a> {
    Capabilities(&'a [CompactString]),
    Techniques(&'a [Shown]),
    Ancestors(&'a [Ancestor]),
}

impl Values<'_> {
    fn is_empty(&self) -> bool {
        match self {
            Values::Capabilities(all) => all.is_empty(),
            Values::Techniques(all) => all.is_empty(),
            Values::Ancestors(all) => all.is_empty(),
        }
    }
}

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Values::Capabilities(all) => to.collect_seq(all.iter().map(|name| AnyValue::StringValue(name))),
            Values::Techniques(all) => {
                let ids = all.iter().flat_map(|one| std::iter::once(&one.id).chain(&one.older));
                to.collect_seq(ids.map(|id| AnyValue::StringValue(id)))
            }
            Values::Ancestors(all) => to.collect_seq(all.iter().map(|one| AnyValue::Parent(Parent(one)))),
        }
    }
}

/// A parent of the process: `PID NAME`.
struct Parent<'a>(&'a Ancestor);

impl Display for Parent<'_> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.0.pid, self.0.comm)
    }
}

/// What a record says beside its message; what does not apply is left out.
struct Attributes<'a>(&'a Record);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let texts = texts(self.0).into_iter().filter_map(|(key, value)| Some((key, AnyValue::StringValue(value?))));
        let numbers = numbers(self.0).into_iter().filter_map(|(key, value)| Some((key, AnyValue::IntValue(value?))));
        let lists = lists(self.0).into_iter().filter(|(_, values)| !values.is_empty());
        let lists = lists.map(|(key, values)| (key, AnyValue::ArrayValue(ArrayValue { values })));
        to.collect_seq(texts.chain(numbers).chain(lists).map(|(key, value)| KeyValue { key, value }))
    }
}

/// What is text, by the names of OpenTelemetry's conventions where there is one.
fn texts(record: &Record) -> [(&'static str, Option<&str>); 14] {
    let to = record.destination.as_ref();
    [
        ("bartizan.kind", Some(record.kind.name())),
        ("bartizan.service", record.service.as_deref()),
        ("bartizan.capability", record.capability.as_deref()),
        ("bartizan.access", record.access.map(Access::name)),
        ("bartizan.verdict", record.verdict.as_deref()),
        ("bartizan.rule", record.rule.as_deref()),
        ("file.path", record.path.as_deref()),
        ("process.executable.path", record.exe.as_deref()),
        ("process.command_line", record.command.as_deref()),
        ("process.creation.time", record.start.as_deref()),
        ("container.id", record.container.as_deref()),
        ("bartizan.device", record.device.as_deref()),
        ("network.peer.address", to.map(|to| to.address.as_str())),
        ("network.transport", to.map(|to| to.protocol.as_str())),
    ]
}

fn numbers(record: &Record) -> [(&'static str, Option<u64>); 13] {
    [
        ("bartizan.id", Some(record.id)),
        ("bartizan.count", Some(record.count)),
        ("bartizan.repeats", record.repeats),
        ("process.pid", record.pid.map(u64::from)),
        ("user.id", record.uid.map(u64::from)),
        ("process.parent_pid", record.ancestors.first().map(|parent| parent.pid.into())),
        ("bartizan.revision", record.revision),
        ("bartizan.inode", record.inode),
        ("bartizan.login_uid", record.login_uid.map(u64::from)),
        ("bartizan.session", record.session.map(u64::from)),
        ("bartizan.cpu", record.sequence.map(|one| one.cpu.into())),
        ("bartizan.sequence", record.sequence.map(|one| one.number)),
        ("network.peer.port", record.destination.as_ref().map(|to| to.port.into())),
    ]
}

fn lists(record: &Record) -> [(&'static str, Values<'_>); 3] {
    [
        ("bartizan.capabilities", Values::Capabilities(&record.capabilities)),
        ("bartizan.techniques", Values::Techniques(&record.techniques)),
        ("bartizan.ancestors", Values::Ancestors(&record.ancestors)),
    ]
}

/// How many records an answer refuses. An empty one refuses none; one that is not OTLP's means that somebody else listens.
fn refused(answer: &str) -> Result<u64, String> {
    if answer.trim().is_empty() {
        return Ok(0);
    }
    let wrong = || "this is no answer of OTLP".to_owned();
    let answer: Value = serde_json::from_str(answer).map_err(|_| wrong())?;
    let partial = answer.as_object().ok_or_else(wrong)?.get("partialSuccess");
    match partial.and_then(|partial| partial.get("rejectedLogRecords")) {
        None | Some(Value::Null) => Ok(0),
        Some(Value::String(number)) => number.parse().map_err(|_| wrong()),
        Some(number) => number.as_u64().ok_or_else(wrong),
    }
}

#[cfg(test)]
#[path = "otlp/tests.rs"]
mod tests;
