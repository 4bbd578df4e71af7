//! Logs of OpenTelemetry's protocol (OTLP 1.x) over HTTP in JSON.

use serde_json::Value;

use super::http::Post;
use super::output::Output;
use super::severity::Severity;
use super::{Failure, Sink, Web};
use crate::host;
use crate::record::Record;
use crate::written::Written;

/// Up to the name of the host, and up to the first log.
const BEFORE: &str = concat!(
    r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"bartizan"}},"#,
    r#"{"key":"service.version","value":{"stringValue":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}},{"key":"host.name","value":{"stringValue":"#
);
const BEHIND: &str = r#"}}]},"scopeLogs":[{"scope":{"name":"bartizan.audit"},"logRecords":["#;

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
        let body = |to: &mut Output, records: &[&Written]| {
            to.raw(BEFORE).text(&host).raw(BEHIND);
            records.iter().for_each(|one| log(to.next(), one));
            to.raw("]}]}]}");
        };
        self.0.deliver(records, &body, &refused)
    }
}

/// An attribute.
fn text(to: &mut Output, key: &str, value: &str) {
    to.next().raw("{\"key\":\"").raw(key).raw("\",\"value\":{\"stringValue\":").text(value).raw("}}");
}

fn text_if(to: &mut Output, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        text(to, key, value);
    }
}

/// 64-bit numbers are text in protobuf's JSON.
fn number(to: &mut Output, key: &str, value: u64) {
    to.next().raw("{\"key\":\"").raw(key).raw("\",\"value\":{\"intValue\":\"").number(value).raw("\"}}");
}

fn number_if(to: &mut Output, key: &str, value: Option<impl Into<u64>>) {
    if let Some(value) = value {
        number(to, key, value.into());
    }
}

/// Nothing where the list is empty. `each` writes a value within a text.
fn list<T>(to: &mut Output, key: &str, values: &[T], each: impl Fn(&mut Output, &T)) {
    if values.is_empty() {
        return;
    }
    to.next().raw("{\"key\":\"").raw(key).raw("\",\"value\":{\"arrayValue\":{\"values\":[");
    values.iter().for_each(|value| each(to, value));
    to.raw("]}}}");
}

fn value(to: &mut Output, value: &str) {
    to.next().raw("{\"stringValue\":").text(value).raw("}");
}

fn log(to: &mut Output, Written { record, ms, .. }: &Written) {
    let (severity, name) = Severity::of(record).otlp();
    to.raw("{\"timeUnixNano\":\"").number(ms).raw("000000\",\"observedTimeUnixNano\":\"").number(ms);
    to.raw("000000\",\"severityNumber\":").number(severity).key("severityText").text(name);
    to.raw(",\"body\":{\"stringValue\":").text(&record.message).raw("},\"attributes\":[");
    text(to, "bartizan.kind", record.kind.name());
    number(to, "bartizan.id", record.id);
    number(to, "bartizan.count", record.count);
    texts(to, record);
    numbers(to, record);
    if let Some(end) = &record.destination {
        text(to, "network.peer.address", &end.address);
        number(to, "network.peer.port", end.port.into());
        text(to, "network.transport", &end.protocol);
    }
    list(to, "bartizan.capabilities", &record.capabilities, |to, one| value(to, one));
    list(to, "bartizan.techniques", &record.techniques, |to, one| {
        value(to, &one.id);
        one.older.iter().for_each(|older| value(to, older));
    });
    list(to, "bartizan.ancestors", &record.ancestors, |to, one| {
        to.next().raw("{\"stringValue\":\"").number(one.pid).raw(" ").within(&one.comm).raw("\"}");
    });
    to.raw("]}");
}

fn texts(to: &mut Output, record: &Record) {
    text_if(to, "bartizan.service", record.service.as_deref());
    text_if(to, "bartizan.capability", record.capability.as_deref());
    text_if(to, "bartizan.access", record.access.map(policy::access::Access::name));
    text_if(to, "bartizan.verdict", record.verdict.as_deref());
    text_if(to, "bartizan.rule", record.rule.as_deref());
    text_if(to, "file.path", record.path.as_deref());
    text_if(to, "process.executable.path", record.exe.as_deref());
    text_if(to, "process.command_line", record.command.as_deref());
    text_if(to, "process.creation.time", record.start.as_deref());
    text_if(to, "container.id", record.container.as_deref());
    text_if(to, "bartizan.device", record.device.as_deref());
}

fn numbers(to: &mut Output, record: &Record) {
    number_if(to, "bartizan.repeats", record.repeats);
    number_if(to, "process.pid", record.pid);
    number_if(to, "user.id", record.uid);
    number_if(to, "process.parent_pid", record.ancestors.first().map(|parent| parent.pid));
    number_if(to, "bartizan.revision", record.revision);
    number_if(to, "bartizan.inode", record.inode);
    number_if(to, "bartizan.login_uid", record.login_uid);
    number_if(to, "bartizan.session", record.session);
    number_if(to, "bartizan.cpu", record.sequence.map(|one| one.cpu));
    number_if(to, "bartizan.sequence", record.sequence.map(|one| one.number));
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
