#![allow(clippy::unwrap_used)]

mod tree;

use proptest::prelude::*;
use serde_json::json;
use tree::{number, text};

use super::super::sample;
use super::*;
use crate::record::{Kind, Record, Shown};

/// As it is sent, and as a tree.
fn told(record: Record) -> (Value, Value) {
    let (written, mut out) = (Written::try_from(record).unwrap(), Output::default());
    out.json(&LogRecord::of(&written)).unwrap();
    (serde_json::from_slice(out.bytes()).unwrap(), tree::log(&written))
}

/// The order of attributes says nothing.
fn ordered(mut log: Value) -> Value {
    let attributes = log.get_mut("attributes").and_then(Value::as_array_mut).unwrap();
    attributes.sort_by_key(|one| one.get("key").unwrap().to_string());
    log
}

proptest! {
    #[test]
    fn a_log_is_the_one_of_the_tree(record in sample::record()) {
        let (log, tree) = told(record);
        prop_assert_eq!(ordered(log), ordered(tree));
    }
}

#[test]
fn logs_come_with_their_resource_and_scope() {
    let written = Written::try_from(Record::plain(Kind::Loss, "one".to_owned())).unwrap();
    let mut out = Output::default();
    out.json(&LogsData::of(&[&written, &written], "here")).unwrap();
    let (log, version) = (ordered(tree::log(&written)), env!("CARGO_PKG_VERSION"));
    let attributes = [("service.name", "bartizan"), ("service.version", version), ("host.name", "here")];
    let resource = json!({"attributes": attributes.map(|(key, value)| text(key, value))});
    let scoped = json!([{"scope": {"name": "bartizan.audit"}, "logRecords": [log, log]}]);
    let mut sent: Value = serde_json::from_slice(out.bytes()).unwrap();
    for log in sent.pointer_mut("/resourceLogs/0/scopeLogs/0/logRecords").and_then(Value::as_array_mut).unwrap() {
        *log = ordered(log.take());
    }
    assert_eq!(sent, json!({"resourceLogs": [{"resource": resource, "scopeLogs": scoped}]}));
}

#[test]
fn a_record_becomes_a_log() {
    let record = Record {
        time: "2026-11-28T12:00:00.500Z".into(),
        id: 7,
        pid: Some(3),
        verdict: Some("deny".into()),
        capabilities: vec!["SHELL".into()],
        techniques: vec![Shown { id: "T1685".into(), older: Some("T1562.001".into()) }],
        ..Record::plain(Kind::Capability, "one".to_owned())
    };
    let (log, _) = told(record);
    assert_eq!(log.get("timeUnixNano").unwrap(), "1795867200500000000");
    assert_eq!((log.get("severityNumber").unwrap(), log.get("severityText").unwrap()), (&json!(13), &json!("WARN")));
    let attributes = log.get("attributes").unwrap().as_array().unwrap();
    let both = json!({"values": [{"stringValue": "T1685"}, {"stringValue": "T1562.001"}]});
    assert!(attributes.contains(&json!({"key": "bartizan.techniques", "value": {"arrayValue": both}})));
    for wanted in [text("bartizan.kind", "capability"), number("process.pid", 3), text("bartizan.verdict", "deny")] {
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
