//! Evidences of findings: who acted, and on what.

use serde::{Serialize, Serializer};

use super::super::output::as_text;
use crate::clock;
use crate::record::{Ancestor, Destination, Record};

#[derive(Default, PartialEq, Serialize)]
pub(super) struct Evidence<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Actor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_endpoint: Option<Endpoint<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_info: Option<Connection<'a>>,
}

impl<'a> Evidence<'a> {
    pub(super) fn of(record: &'a Record) -> Evidence<'a> {
        let process = Process::of(record);
        let to = record.destination.as_ref();
        Evidence {
            actor: (process != Process::default()).then_some(Actor { process }),
            file: record.path.as_deref().map(File::of),
            dst_endpoint: to.map(|Destination { address, port, .. }| Endpoint { ip: address, port: *port }),
            connection_info: to.map(|to| Connection { direction_id: 2, protocol_name: &to.protocol }),
        }
    }
}

#[derive(PartialEq, Serialize)]
struct Actor<'a> {
    process: Process<'a>,
}

#[derive(Default, PartialEq, Serialize)]
struct Process<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Numeric>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cmd_line: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Numeric>,
    #[serde(skip_serializing_if = "Parents::is_empty")]
    parent_process: Parents<'a>,
}

impl<'a> Process<'a> {
    fn of(record: &'a Record) -> Process<'a> {
        Process {
            pid: record.pid,
            name: None,
            file: record.exe.as_deref().map(File::of),
            user: record.uid.map(|uid| Numeric { uid }),
            cmd_line: record.command.as_deref(),
            created_time: record.start.as_deref().map(clock::ms_of_text),
            session: record.session.map(|uid| Numeric { uid }),
            parent_process: Parents(&record.ancestors),
        }
    }
}

/// A user or a session: what is a number on Linux is text in OCSF.
#[derive(PartialEq, Serialize)]
struct Numeric {
    #[serde(serialize_with = "as_text")]
    uid: u32,
}

/// The parents of a process, nearest first: each is written within its child.
#[derive(Default, PartialEq)]
struct Parents<'a>(&'a [Ancestor]);

impl Parents<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Parents<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let nearest = self.0.split_first().map(|(Ancestor { pid, comm, start }, above)| Process {
            pid: Some(*pid),
            name: Some(comm),
            created_time: Some(clock::ms_of_text(start)),
            parent_process: Parents(above),
            ..Process::default()
        });
        nearest.serialize(to)
    }
}

#[derive(PartialEq, Serialize)]
struct File<'a> {
    type_id: u32,
    path: &'a str,
    name: &'a str,
}

impl<'a> File<'a> {
    fn of(path: &'a str) -> File<'a> {
        let name = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path);
        File { type_id: 0, path, name }
    }
}

#[derive(PartialEq, Serialize)]
struct Endpoint<'a> {
    ip: &'a str,
    port: u16,
}

#[derive(PartialEq, Serialize)]
struct Connection<'a> {
    direction_id: u32,
    protocol_name: &'a str,
}
