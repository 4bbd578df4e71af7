//! Findings as trees of values: slow and plain, for comparison.

use serde_json::{Map, Value, json};

use super::super::Severity;
use crate::clock;
use crate::record::{Kind, Record};
use crate::written::Written;

const CLASS: u32 = 2004;

/// A record as a finding. One that counts more acts of a kind updates the finding of the first.
pub(super) fn finding(Written { record, ms, .. }: &Written, host: &str) -> Value {
    let (activity, name) = if record.repeats.is_some() { (2, "Update") } else { (1, "Create") };
    let (severity, severity_name) = Severity::of(record).ocsf();
    let time = *ms;
    let denied = record.verdict.as_deref() == Some("deny");
    let mut finding = json!({
        "activity_id": activity,
        "activity_name": name,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity,
        "type_name": format!("Detection Finding: {name}"),
        "time": time,
        "severity_id": severity,
        "severity": severity_name,
        "message": record.message,
        "count": record.count,
        "is_alert": denied || record.kind == Kind::Tamper,
        "metadata": {
            "version": "1.3.0",
            "profiles": ["security_control", "host"],
            "product": {"name": "Bartizan", "vendor_name": "Bartizan", "version": env!("CARGO_PKG_VERSION")},
            "uid": format!("{host}/{}", record.id),
            "sequence": record.id,
        },
        "finding_info": info(record, host, time),
        "device": {"hostname": host, "type_id": 0, "os": {"name": "Linux", "type_id": 200}},
        "unmapped": unmapped(record),
    });
    let Some(fields) = finding.as_object_mut() else { return finding };
    if record.verdict.is_some() {
        let (action, action_name, disposition, disposition_name) =
            if denied { (2, "Denied", 2, "Blocked") } else { (1, "Allowed", 17, "Logged") };
        fields.insert("action_id".to_owned(), json!(action));
        fields.insert("action".to_owned(), json!(action_name));
        fields.insert("disposition_id".to_owned(), json!(disposition));
        fields.insert("disposition".to_owned(), json!(disposition_name));
    }
    if let Some(service) = &record.service {
        fields.insert("resources".to_owned(), json!([{"name": service, "type": "systemd service"}]));
    }
    if let Some(rule) = &record.rule {
        fields.insert("policy".to_owned(), json!({"name": rule}));
    }
    let evidence = evidence(record);
    if !evidence.is_empty() {
        fields.insert("evidences".to_owned(), json!([evidence]));
    }
    finding
}

fn info(record: &Record, host: &str, time: i64) -> Value {
    let analytic = match &record.rule {
        Some(rule) => json!({"name": rule, "type_id": 1, "type": "Rule"}),
        None => json!({"name": "model", "type_id": 2, "type": "Behavioral"}),
    };
    let mut info = json!({
        "uid": format!("{host}/{}", record.repeats.unwrap_or(record.id)),
        "title": record.message,
        "types": [record.kind.name()],
        "analytic": analytic,
    });
    if let Some(fields) = info.as_object_mut() {
        if !record.techniques.is_empty() {
            fields.insert("attacks".to_owned(), attacks(record));
        }
        let name = if record.repeats.is_some() { "last_seen_time" } else { "first_seen_time" };
        fields.insert(name.to_owned(), json!(time));
    }
    info
}

/// Techniques, each once by its id and once more by the older one.
fn attacks(record: &Record) -> Value {
    let attack = |id: &str, version: &str| {
        let (main, sub) = id.split_once('.').map_or((id, None), |(main, _)| (main, Some(id)));
        let mut attack = json!({"technique": {"uid": main}, "version": version});
        if let (Some(fields), Some(sub)) = (attack.as_object_mut(), sub) {
            fields.insert("sub_technique".to_owned(), json!({"uid": sub}));
        }
        attack
    };
    let both = record.techniques.iter().flat_map(|one| {
        let older = one.older.as_deref().map(|id| attack(id, "18"));
        [attack(&one.id, policy::attack::version())].into_iter().chain(older)
    });
    Value::Array(both.collect())
}

/// The parents of the process, each within its child.
fn parent(record: &Record) -> Option<Value> {
    record.ancestors.iter().rfold(None, |above: Option<Value>, one| {
        let mut process = json!({"pid": one.pid, "name": one.comm, "created_time": clock::ms_of_text(&one.start)});
        if let (Some(fields), Some(above)) = (process.as_object_mut(), above) {
            fields.insert("parent_process".to_owned(), above);
        }
        Some(process)
    })
}

/// A file of OCSF.
fn file(path: &str) -> Value {
    let name = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path);
    json!({"path": path, "name": name, "type_id": 0})
}

fn evidence(record: &Record) -> Map<String, Value> {
    let mut evidence = Map::new();
    let mut process = Map::new();
    if let Some(pid) = record.pid {
        process.insert("pid".to_owned(), json!(pid));
    }
    if let Some(exe) = &record.exe {
        process.insert("file".to_owned(), file(exe));
    }
    if let Some(uid) = record.uid {
        process.insert("user".to_owned(), json!({"uid": uid.to_string()}));
    }
    if let Some(command) = &record.command {
        process.insert("cmd_line".to_owned(), json!(command));
    }
    if let Some(start) = &record.start {
        process.insert("created_time".to_owned(), json!(clock::ms_of_text(start)));
    }
    if let Some(session) = record.session {
        process.insert("session".to_owned(), json!({"uid": session.to_string()}));
    }
    if let Some(parent) = parent(record) {
        process.insert("parent_process".to_owned(), parent);
    }
    if !process.is_empty() {
        evidence.insert("actor".to_owned(), json!({"process": process}));
    }
    if let Some(path) = &record.path {
        evidence.insert("file".to_owned(), file(path));
    }
    if let Some(to) = &record.destination {
        evidence.insert("dst_endpoint".to_owned(), json!({"ip": to.address, "port": to.port}));
        evidence.insert("connection_info".to_owned(), json!({"direction_id": 2, "protocol_name": to.protocol}));
    }
    evidence
}

fn unmapped(record: &Record) -> Value {
    json!({
        "kind": record.kind.name(),
        "capability": record.capability,
        "capabilities": record.capabilities,
        "access": record.access.map(policy::access::Access::name),
        "repeats": record.repeats,
        "revision": record.revision,
        "device": record.device,
        "inode": record.inode,
        "login_uid": record.login_uid,
        "container": record.container,
        "sequence": record.sequence,
    })
}
