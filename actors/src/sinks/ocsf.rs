//! Detection Findings (class 2004) of the Open Cybersecurity Schema Framework, version 1.3.0, posted as JSON arrays.

use super::http::Post;
use super::output::Output;
use super::severity::Severity;
use super::{Failure, Sink, Web};
use crate::clock;
use crate::host;
use crate::record::{Kind, Record};
use crate::written::Written;

/// The class, with the names of the activity: the number of the type is 100 times that of the class, and the activity.
macro_rules! class {
    ($activity:literal, $name:literal) => {
        concat!(
            "{\"category_uid\":2,\"category_name\":\"Findings\",\"class_uid\":2004,\"class_name\":\"Detection Finding\",",
            "\"type_uid\":20040",
            $activity,
            ",\"type_name\":\"Detection Finding: ",
            $name,
            "\",\"activity_id\":",
            $activity,
            ",\"activity_name\":\"",
            $name,
            "\""
        )
    };
}
const CREATE: &str = class!("1", "Create");
const UPDATE: &str = class!("2", "Update");
const DENIED: &str = ",\"action_id\":2,\"action\":\"Denied\",\"disposition_id\":2,\"disposition\":\"Blocked\"";
const LOGGED: &str = ",\"action_id\":1,\"action\":\"Allowed\",\"disposition_id\":17,\"disposition\":\"Logged\"";
const METADATA: &str = concat!(
    ",\"metadata\":{\"version\":\"1.3.0\",\"profiles\":[\"security_control\",\"host\"],",
    "\"product\":{\"name\":\"Bartizan\",\"vendor_name\":\"Bartizan\",\"version\":\"",
    env!("CARGO_PKG_VERSION"),
    "\"}"
);

/// A receiver of findings.
pub(super) struct Ocsf(Post);

impl Ocsf {
    pub(super) fn new(web: &Web) -> Ocsf {
        Ocsf(Post::new(web))
    }
}

impl Sink for Ocsf {
    fn deliver(&mut self, records: &[&Written]) -> Result<u64, Failure> {
        let host = host::name();
        let body = |to: &mut Output, records: &[&Written]| {
            to.raw("[");
            records.iter().for_each(|one| finding(to.next(), one, &host));
            to.raw("]");
        };
        self.0.deliver(records, &body, &|_| Ok(0))
    }
}

/// A record as a finding. One that counts more acts of a kind updates the finding of the first.
fn finding(to: &mut Output, Written { record, ms, .. }: &Written, host: &str) {
    let (severity, severity_name) = Severity::of(record).ocsf();
    let denied = record.verdict.as_deref() == Some("deny");
    let is_alert = denied || record.kind == Kind::Tamper;
    to.raw(if record.repeats.is_some() { UPDATE } else { CREATE });
    to.key("time").number(ms).key("severity_id").number(severity).key("severity").text(severity_name);
    to.key("message").text(&record.message).key("count").number(record.count);
    to.key("is_alert").raw(if is_alert { "true" } else { "false" });
    to.raw(METADATA).key("uid");
    identifier(to, host, record.id);
    to.key("sequence").number(record.id).raw("}");
    info(to, record, host, *ms);
    to.key("device").raw("{").key("hostname").text(host);
    to.raw(",\"type_id\":0,\"os\":{\"name\":\"Linux\",\"type_id\":200}}");
    if record.verdict.is_some() {
        to.raw(if denied { DENIED } else { LOGGED });
    }
    if let Some(service) = &record.service {
        to.raw(",\"resources\":[{\"type\":\"systemd service\",\"name\":").text(service).raw("}]");
    }
    if let Some(rule) = &record.rule {
        to.raw(",\"policy\":{\"name\":").text(rule).raw("}");
    }
    evidence(to, record);
    unmapped(to, record);
    to.raw("}");
}

/// A number of a record that no other host has.
fn identifier(to: &mut Output, host: &str, id: u64) {
    to.raw("\"").within(host).raw("/").number(id).raw("\"");
}

fn info(to: &mut Output, record: &Record, host: &str, time: i64) {
    to.key("finding_info").raw("{").key("uid");
    identifier(to, host, record.repeats.unwrap_or(record.id));
    to.key("title").text(&record.message).key("types").raw("[").text(record.kind.name()).raw("]");
    match &record.rule {
        Some(rule) => to.raw(",\"analytic\":{\"type_id\":1,\"type\":\"Rule\",\"name\":").text(rule).raw("}"),
        None => to.raw(",\"analytic\":{\"type_id\":2,\"type\":\"Behavioral\",\"name\":\"model\"}"),
    };
    attacks(to, record);
    to.key(if record.repeats.is_some() { "last_seen_time" } else { "first_seen_time" }).number(time).raw("}");
}

/// Techniques, each once by its id and once more by the older one.
fn attacks(to: &mut Output, record: &Record) {
    if record.techniques.is_empty() {
        return;
    }
    to.key("attacks").raw("[");
    for one in &record.techniques {
        attack(to, &one.id, policy::attack::version());
        if let Some(older) = &one.older {
            attack(to, older, "18");
        }
    }
    to.raw("]");
}

fn attack(to: &mut Output, id: &str, version: &str) {
    let main = id.split_once('.').map(|(main, _)| main);
    to.next().raw("{\"technique\":{\"uid\":").text(main.unwrap_or(id)).raw("}");
    if main.is_some() {
        to.raw(",\"sub_technique\":{\"uid\":").text(id).raw("}");
    }
    to.key("version").text(version).raw("}");
}

/// A file of OCSF.
fn file(to: &mut Output, path: &str) {
    let name = path
        .bytes()
        .rposition(|byte| byte == b'/')
        .and_then(|at| path.get(at + 1..))
        .filter(|name| !name.is_empty())
        .unwrap_or(path);
    to.key("file").raw("{\"type_id\":0,\"path\":").text(path).key("name").text(name).raw("}");
}

/// What the evidence is about, where there is something.
fn evidence(to: &mut Output, record: &Record) {
    let has_process = has_process(record);
    if !has_process && record.path.is_none() && record.destination.is_none() {
        return;
    }
    to.key("evidences").raw("[{");
    if has_process {
        process(to, record);
    }
    if let Some(path) = &record.path {
        file(to, path);
    }
    if let Some(end) = &record.destination {
        to.key("dst_endpoint").raw("{").key("ip").text(&end.address).key("port").number(end.port).raw("}");
        to.key("connection_info").raw("{\"direction_id\":2,\"protocol_name\":").text(&end.protocol).raw("}");
    }
    to.raw("}]");
}

fn has_process(record: &Record) -> bool {
    let Record { pid, exe, uid, command, start, session, ancestors, .. } = record;
    let texts = [exe, command, start].iter().any(|text| text.is_some());
    texts || [pid, uid, session].iter().any(|number| number.is_some()) || !ancestors.is_empty()
}

fn process(to: &mut Output, record: &Record) {
    to.key("actor").raw("{\"process\":{");
    if let Some(pid) = record.pid {
        to.key("pid").number(pid);
    }
    if let Some(exe) = &record.exe {
        file(to, exe);
    }
    if let Some(uid) = record.uid {
        to.key("user").raw("{\"uid\":\"").number(uid).raw("\"}");
    }
    to.text_if("cmd_line", record.command.as_deref());
    if let Some(start) = &record.start {
        to.key("created_time").number(clock::ms_of_own(start));
    }
    if let Some(session) = record.session {
        to.key("session").raw("{\"uid\":\"").number(session).raw("\"}");
    }
    // The parents, each within its child.
    for one in &record.ancestors {
        to.key("parent_process").raw("{").key("pid").number(one.pid).key("name").text(&one.comm);
        to.key("created_time").number(clock::ms_of_own(&one.start));
    }
    record.ancestors.iter().for_each(|_| {
        to.raw("}");
    });
    to.raw("}}");
}

/// What OCSF has no place for; what does not apply is null.
fn unmapped(to: &mut Output, record: &Record) {
    let number = |to: &mut Output, key: &str, number: Option<u64>| {
        to.key(key).number(number);
    };
    let text = |to: &mut Output, key: &str, text: Option<&str>| {
        match text {
            Some(text) => to.key(key).text(text),
            None => to.key(key).raw("null"),
        };
    };
    to.key("unmapped").raw("{").key("kind").text(record.kind.name());
    text(to, "capability", record.capability.as_deref());
    to.key("capabilities").raw("[");
    for one in &record.capabilities {
        to.next().text(one);
    }
    to.raw("]");
    text(to, "access", record.access.map(policy::access::Access::name));
    number(to, "repeats", record.repeats);
    number(to, "revision", record.revision);
    text(to, "device", record.device.as_deref());
    number(to, "inode", record.inode);
    number(to, "login_uid", record.login_uid.map(u64::from));
    text(to, "container", record.container.as_deref());
    match record.sequence {
        Some(one) => to.key("sequence").raw("{").key("cpu").number(one.cpu).key("number").number(one.number).raw("}"),
        None => to.key("sequence").raw("null"),
    };
    to.raw("}");
}

#[cfg(test)]
#[path = "ocsf/tests.rs"]
mod tests;
