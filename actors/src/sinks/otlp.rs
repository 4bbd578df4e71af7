//! Logs of OpenTelemetry's protocol (OTLP 1.x) over HTTP in JSON.

use serde_json::{Value, json};

use super::http::{self, Post};
use super::severity::Severity;
use super::{Failure, Sink, Web};
use crate::host;
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
        self.0.deliver(records, &body, &refused)
    }
}

fn body(records: &[&Written]) -> serde_json::Result<Vec<u8>> {
    let resource = json!({"attributes": [
        text("service.name", "bartizan"),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("host.name", &host::name()),
    ]});
    let scope = json!({"name": "bartizan.audit"});
    let before =
        format!("{{\"resourceLogs\":[{{\"resource\":{resource},\"scopeLogs\":[{{\"scope\":{scope},\"logRecords\":[");
    let mut body = before.into_bytes();
    http::list(&mut body, records, &log)?;
    body.extend_from_slice(b"]}]}]}");
    Ok(body)
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// 64-bit numbers are text in protobuf's JSON.
fn number(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

/// Nothing where the list is empty.
fn list(key: &str, values: impl Iterator<Item = String>) -> Option<Value> {
    let values: Vec<Value> = values.map(|value| json!({"stringValue": value})).collect();
    (!values.is_empty()).then(|| json!({"key": key, "value": {"arrayValue": {"values": values}}}))
}

fn log(Written { record, ms, .. }: &Written) -> Value {
    let (severity, name) = Severity::of(record).otlp();
    let time = format!("{ms}000000");
    let mut attributes = vec![
        text("bartizan.kind", record.kind.name()),
        number("bartizan.id", record.id),
        number("bartizan.count", record.count),
    ];
    let texts = [
        ("bartizan.service", record.service.as_deref()),
        ("bartizan.capability", record.capability.as_deref()),
        ("bartizan.access", record.access.map(policy::access::Access::name)),
        ("bartizan.verdict", record.verdict.as_deref()),
        ("bartizan.rule", record.rule.as_deref()),
        ("file.path", record.path.as_deref()),
        ("process.executable.path", record.exe.as_deref()),
        ("process.command_line", record.command.as_deref()),
        ("process.creation.time", record.start.as_deref()),
        ("container.id", record.container.as_deref()),
        ("bartizan.device", record.device.as_deref()),
    ];
    attributes.extend(texts.into_iter().filter_map(|(key, value)| Some(text(key, value?))));
    let numbers = [
        ("bartizan.repeats", record.repeats),
        ("process.pid", record.pid.map(u64::from)),
        ("user.id", record.uid.map(u64::from)),
        ("process.parent_pid", record.ancestors.first().map(|parent| u64::from(parent.pid))),
        ("bartizan.revision", record.revision),
        ("bartizan.inode", record.inode),
        ("bartizan.login_uid", record.login_uid.map(u64::from)),
        ("bartizan.session", record.session.map(u64::from)),
        ("bartizan.cpu", record.sequence.map(|one| u64::from(one.cpu))),
        ("bartizan.sequence", record.sequence.map(|one| one.number)),
    ];
    attributes.extend(numbers.into_iter().filter_map(|(key, value)| Some(number(key, value?))));
    if let Some(to) = &record.destination {
        attributes.push(text("network.peer.address", &to.address));
        attributes.push(number("network.peer.port", u64::from(to.port)));
        attributes.push(text("network.transport", &to.protocol));
    }
    let techniques = record.techniques.iter().flat_map(|one| [Some(one.id.clone()), one.older.clone()]).flatten();
    let ancestors = record.ancestors.iter().map(|one| format!("{} {}", one.pid, one.comm));
    attributes.extend(list("bartizan.capabilities", record.capabilities.iter().cloned()));
    attributes.extend(list("bartizan.techniques", techniques));
    attributes.extend(list("bartizan.ancestors", ancestors));
    json!({
        "timeUnixNano": time,
        "observedTimeUnixNano": time,
        "severityNumber": severity,
        "severityText": name,
        "body": {"stringValue": record.message},
        "attributes": attributes,
    })
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::record::{Kind, Record, Shown};

    #[test]
    fn a_record_becomes_a_log() {
        let record = Record {
            time: "2026-11-28T12:00:00.500Z".to_owned(),
            id: 7,
            pid: Some(3),
            verdict: Some("deny".to_owned()),
            capabilities: vec!["SHELL".to_owned()],
            techniques: vec![Shown { id: "T1685".to_owned(), older: Some("T1562.001".to_owned()) }],
            ..Record::plain(Kind::Capability, "one".to_owned())
        };
        let log = log(&Written::try_from(record).unwrap());
        assert_eq!(log.get("timeUnixNano").unwrap(), "1795867200500000000");
        assert_eq!(
            (log.get("severityNumber").unwrap(), log.get("severityText").unwrap()),
            (&json!(13), &json!("WARN"))
        );
        let attributes = log.get("attributes").unwrap().as_array().unwrap();
        let both = json!({"values": [{"stringValue": "T1685"}, {"stringValue": "T1562.001"}]});
        assert!(attributes.contains(&json!({"key": "bartizan.techniques", "value": {"arrayValue": both}})));
        for wanted in [text("bartizan.kind", "capability"), number("process.pid", 3), text("bartizan.verdict", "deny")]
        {
            assert!(attributes.contains(&wanted), "{wanted}");
        }
    }

    #[test]
    fn answers_tell_how_many_were_refused() {
        for (answer, refuses) in [
            ("", Some(0)),
            ("{}", Some(0)),
            ("{\"partialSuccess\":{}}", Some(0)),
            ("{\"partialSuccess\":{\"rejectedLogRecords\":\"3\",\"errorMessage\":\"no\"}}", Some(3)),
            ("{\"partialSuccess\":{\"rejectedLogRecords\":2}}", Some(2)),
            ("<html>", None),
            ("[]", None),
            ("{\"partialSuccess\":{\"rejectedLogRecords\":-1}}", None),
        ] {
            assert_eq!(refused(answer).ok(), refuses, "{answer}");
        }
    }
}
