//! Audit records: one act, one object. Field names are stable; what does not apply is null. Records of earlier versions lack
//! the later fields.

mod parts;

use std::fmt::{self, Write as _};

use bpf::event::{Act, Object, Why};
use compact_str::{CompactString, ToCompactString as _};
use policy::access::Access;
use policy::decide::Verdict;
use serde::{Deserialize, Serialize};

pub use parts::{Ancestor, Numbered, Shown};

use crate::{clock, host};

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A capability was missing.
    Capability,
    /// An active service ran a program it never ran.
    Program,
    /// A service that nobody knew, on a host whose services are all active.
    Service,
    /// An outbound rule matched.
    Outbound,
    /// A task's label and its cgroup disagree.
    Escape,
    /// Bartizan itself was touched.
    Tamper,
    /// Acts beyond the bound on distinct objects.
    Flood,
    /// Events that could not be delivered.
    Loss,
    /// Bartizan changed its own state.
    Lifecycle,
}

impl Kind {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Capability => "capability",
            Kind::Program => "program",
            Kind::Service => "service",
            Kind::Outbound => "outbound",
            Kind::Escape => "escape",
            Kind::Tamper => "tamper",
            Kind::Flood => "flood",
            Kind::Loss => "loss",
            Kind::Lifecycle => "lifecycle",
        }
    }
}

/// Where a connection was aimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// IPv4-mapped addresses are given as IPv4.
    pub address: CompactString,
    /// Port.
    pub port: u16,
    /// `tcp`, `udp`, …
    pub protocol: CompactString,
}

/// One audit record. See docs/audit-records.md for the meaning of each field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// RFC 3339, UTC.
    pub time: CompactString,
    /// Rises by one with every record.
    pub id: u64,
    /// What it is about.
    pub kind: Kind,
    /// Service, without `.service`.
    pub service: Option<CompactString>,
    /// The first missing capability, in catalogue order.
    pub capability: Option<CompactString>,
    /// How the object was touched.
    pub access: Option<Access>,
    /// `deny` or `audit`.
    pub verdict: Option<CompactString>,
    /// What was touched.
    pub path: Option<CompactString>,
    /// The program that acted.
    pub exe: Option<CompactString>,
    /// Its process.
    pub pid: Option<u32>,
    /// Its effective user.
    pub uid: Option<u32>,
    /// The rule that decided; null where the model did.
    pub rule: Option<CompactString>,
    /// One sentence for people.
    pub message: CompactString,
    /// For connections.
    pub destination: Option<Destination>,
    /// Every missing capability.
    pub capabilities: Vec<CompactString>,
    /// How many acts this record stands for.
    pub count: u64,
    /// The record whose act was repeated.
    pub repeats: Option<u64>,
    /// The revision whose rules or models decided.
    #[serde(default)]
    pub revision: Option<u64>,
    /// Device of the file that was touched, as `MAJOR:MINOR`.
    #[serde(default)]
    pub device: Option<CompactString>,
    /// Its inode number there.
    #[serde(default)]
    pub inode: Option<u64>,
    /// When the process was started.
    #[serde(default)]
    pub start: Option<CompactString>,
    /// Who logged in, whatever the process has become since; null for services.
    #[serde(default)]
    pub login_uid: Option<u32>,
    /// The kernel's number of that login (audit session).
    #[serde(default)]
    pub session: Option<u32>,
    /// The arguments with which the process was started, secrets left out.
    #[serde(default)]
    pub command: Option<CompactString>,
    /// Its parents, nearest first, up to the unit's main process.
    #[serde(default)]
    pub ancestors: Vec<Ancestor>,
    /// The container that it is in, as its cgroup is called.
    #[serde(default)]
    pub container: Option<CompactString>,
    /// The host.
    #[serde(default)]
    pub host: Option<CompactString>,
    /// Where the event stands among those of its CPU.
    #[serde(default)]
    pub sequence: Option<Numbered>,
    /// Techniques of MITRE ATT&CK that the act shows.
    #[serde(default)]
    pub techniques: Vec<Shown>,
}

impl Record {
    /// A record that says only this; `id` is given when it is written.
    pub fn plain(kind: Kind, message: impl Into<CompactString>) -> Record {
        Record::at(clock::now_ms(), kind, message.into())
    }

    /// The same for a time in milliseconds since 1970, UTC.
    fn at(ms: i64, kind: Kind, message: CompactString) -> Record {
        Record {
            time: clock::rfc3339(ms),
            id: 0,
            kind,
            service: None,
            capability: None,
            access: None,
            verdict: None,
            path: None,
            exe: None,
            pid: None,
            uid: None,
            rule: None,
            message: escaped(message),
            destination: None,
            capabilities: Vec::new(),
            count: 1,
            repeats: None,
            revision: None,
            device: None,
            inode: None,
            start: None,
            login_uid: None,
            session: None,
            command: None,
            ancestors: Vec::new(),
            container: None,
            host: host::current(),
            sequence: None,
            techniques: parts::of_kind(kind),
        }
    }

    /// The record of an act that the kernel told, with the name of the rule and those of the missing capabilities. Without the
    /// command, which may hold secrets.
    pub fn of_act(act: &Act, rule: Option<&str>, capabilities: Vec<CompactString>) -> Record {
        let message = message(act, capabilities.first().map(CompactString::as_str));
        let mut record = Record::at(clock::ms_of(act.time), kind(act.why), message);
        record.service = Some(act.service.clone());
        record.capability = capabilities.first().cloned();
        record.capabilities = capabilities;
        record.access = Some(act.access);
        record.verdict = Some(CompactString::const_new(verdict(act.verdict)));
        record.exe = Some(escape(&act.exe));
        record.pid = Some(act.pid);
        record.uid = Some(act.uid);
        record.rule = rule.map(CompactString::from);
        parts::show(&mut record.techniques, act, &record.capabilities);
        parts::tell(&mut record, act);
        match &act.object {
            Object::Path(path) | Object::Operation { path, .. } | Object::Cgroup(path) => {
                record.path = Some(escape(path));
            }
            Object::Destination { address, port, protocol } => {
                record.destination =
                    Some(Destination { address: address.to_compact_string(), port: *port, protocol: protocol.clone() });
            }
        }
        record
    }

    /// The record of more acts of a kind that was told before.
    pub fn repeat(first: &Record, count: u64) -> Record {
        Record {
            time: clock::rfc3339(clock::now_ms()),
            id: 0,
            count,
            repeats: Some(first.repeats.unwrap_or(first.id)),
            ..first.clone()
        }
    }
}

/// The word for a verdict in records.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Deny => "deny",
        Verdict::Allow | Verdict::Audit => "audit",
    }
}

fn kind(why: Why) -> Kind {
    match why {
        Why::Capability => Kind::Capability,
        Why::Outbound | Why::Destination => Kind::Outbound,
        Why::Escape => Kind::Escape,
        Why::Tamper => Kind::Tamper,
        Why::Program => Kind::Program,
    }
}

/// Names come from whoever made the file: nothing in them may act on a terminal or break a line.
pub fn escape(text: &str) -> CompactString {
    if is_plain(text) {
        return text.into();
    }
    let mut safe = CompactString::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() { safe.extend(letter.escape_default()) } else { safe.push(letter) }
    }
    safe
}

/// The same of a text that is not needed any more.
pub fn escaped(text: CompactString) -> CompactString {
    if is_plain(&text) { text } else { escape(&text) }
}

/// Nearly all are, and that is told many bytes at a time, which needs a look at each of them.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| plain & (b' '..=b'~').contains(&byte))
}

/// `writing /etc/passwd`.
struct InWords<'a>(&'a Act);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InWords(act) = self;
        match &act.object {
            Object::Path(path) if path.is_empty() => write!(to, "{} a nameless object", verb(act.access)),
            Object::Path(path) => write!(to, "{} {path}", verb(act.access)),
            Object::Operation { name, path } if path.is_empty() => write!(to, "performing {name}"),
            Object::Operation { name, path } => write!(to, "performing {name} on {path}"),
            Object::Cgroup(name) => write!(to, "moving to the cgroup {name}"),
            Object::Destination { address, port, protocol } if address.is_ipv6() => {
                write!(to, "[{address}]:{port}/{protocol}")
            }
            Object::Destination { address, port, protocol } => write!(to, "{address}:{port}/{protocol}"),
        }
    }
}

/// The verb of an access in messages.
pub fn verb(access: Access) -> &'static str {
    match access {
        Access::Execute => "executing",
        Access::Read => "reading",
        Access::Write => "writing",
        Access::Connect => "connecting to",
        Access::Operate => "operating on",
    }
}

/// Nearly all messages are shorter, in bytes.
const MESSAGE: usize = 192;

fn message(act: &Act, capability: Option<&str>) -> CompactString {
    let (service, words) = (&act.service, InWords(act));
    let mut said = CompactString::with_capacity(MESSAGE);
    // Writing to memory does not fail.
    let _ = match (act.why, capability) {
        (Why::Capability, Some(name)) => {
            write!(said, "Service {service} attempted to obtain capability {name} by {words}")
        }
        (Why::Capability, None) => {
            write!(said, "Service {service} touched an object whose path cannot be told, by {words}")
        }
        (Why::Outbound | Why::Destination, _) => {
            write!(said, "Service {service} attempted an outbound connection to {words}")
        }
        (Why::Escape, _) => write!(said, "Service {service} attempted to leave its unit by {words}"),
        (Why::Tamper, _) => write!(said, "Service {service} attempted to tamper with Bartizan by {words}"),
        (Why::Program, _) => write!(said, "Service {service} ran a program it never ran before by {words}"),
    };
    said
}

#[cfg(test)]
#[path = "record/tests.rs"]
mod tests;
