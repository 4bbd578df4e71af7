//! Logs as trees of values: slow and plain, for comparison.

use serde_json::{Value, json};

use super::super::Severity;
use crate::written::Written;

pub(super) fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// 64-bit numbers are text in protobuf's JSON.
pub(super) fn number(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

/// Nothing where the list is empty.
fn list(key: &str, values: impl Iterator<Item = String>) -> Option<Value> {
    let values: Vec<Value> = values.map(|value| json!({"stringValue": value})).collect();
    (!values.is_empty()).then(|| json!({"key": key, "value": {"arrayValue": {"values": values}}}))
}

pub(super) fn log(Written { record, ms, .. }: &Written) -> Value {
    let (severity, name) = Severity::of(record).otlp();
    let time = (i128::from(*ms) * 1_000_000).to_string();
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
    let techniques = record.techniques.iter().flat_map(|one| [Some(&one.id), one.older.as_ref()]).flatten();
    let ancestors = record.ancestors.iter().map(|one| format!("{} {}", one.pid, one.comm));
    attributes.extend(list("bartizan.capabilities", record.capabilities.iter().map(ToString::to_string)));
    attributes.extend(list("bartizan.techniques", techniques.map(ToString::to_string)));
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
