//! Messages made of many texts: slow and plain, for comparison.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::super::{FACILITY, STRUCTURE, Severity};
use crate::record::Record;

/// A record as a message.
pub(super) fn message(record: &Record, host: &str) -> String {
    let priority = FACILITY * 8 + Severity::of(record).syslog();
    let (time, process, kind) = (&record.time, std::process::id(), record.kind.name());
    let structure = structure(record);
    // Without the mark, text beyond ASCII has no known encoding.
    let mark = if record.message.is_ascii() { "" } else { "\u{feff}" };
    format!("<{priority}>1 {time} {host} bartizan {process} {kind} {structure} {mark}{}", record.message)
}

fn structure(record: &Record) -> String {
    let numbers = [
        ("id", Some(record.id)),
        ("count", Some(record.count)),
        ("repeats", record.repeats),
        ("pid", record.pid.map(u64::from)),
        ("uid", record.uid.map(u64::from)),
        ("login_uid", record.login_uid.map(u64::from)),
        ("session", record.session.map(u64::from)),
        ("revision", record.revision),
        ("inode", record.inode),
        ("cpu", record.sequence.map(|one| u64::from(one.cpu))),
        ("sequence", record.sequence.map(|one| one.number)),
    ];
    let techniques: Vec<&str> = record.techniques.iter().map(|one| one.id.as_str()).collect();
    let techniques = techniques.join(" ");
    let ancestors: Vec<String> = record.ancestors.iter().map(|one| format!("{}:{}", one.pid, one.comm)).collect();
    let ancestors = ancestors.join(" ");
    let texts = [
        ("service", record.service.as_deref()),
        ("capability", record.capability.as_deref()),
        ("access", record.access.map(policy::access::Access::name)),
        ("verdict", record.verdict.as_deref()),
        ("path", record.path.as_deref()),
        ("exe", record.exe.as_deref()),
        ("rule", record.rule.as_deref()),
        ("start", record.start.as_deref()),
        ("command", record.command.as_deref()),
        ("container", record.container.as_deref()),
        ("device", record.device.as_deref()),
        ("ancestors", Some(ancestors.as_str()).filter(|text| !text.is_empty())),
        ("techniques", Some(techniques.as_str()).filter(|text| !text.is_empty())),
    ];
    // Writing to a text cannot fail.
    let mut told = format!("[{STRUCTURE}");
    for (name, number) in numbers {
        if let Some(number) = number {
            let _ = write!(told, " {name}=\"{number}\"");
        }
    }
    for (name, text) in texts {
        if let Some(text) = text {
            let _ = write!(told, " {name}=\"{}\"", quoted(text));
        }
    }
    if let Some(to) = &record.destination {
        let (address, port, protocol) = (quoted(&to.address), to.port, quoted(&to.protocol));
        let _ = write!(told, " address=\"{address}\" port=\"{port}\" protocol=\"{protocol}\"");
    }
    told.push(']');
    told
}

/// RFC 5424, 6.3.3.
fn quoted(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'"' | b'\\' | b']')) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '"' | '\\' | ']') {
            safe.push('\\');
        }
        safe.push(letter);
    }
    safe.into()
}
