//! To the audit log.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use bpf::event::{Act, Flood, Repeat};

use crate::record::{Kind, Record};
use crate::selection::Selection;

/// To [`crate::audit_log::AuditLog`]: denied or audited acts, in their order. An error says why all of them have to be
/// given again.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Violations(pub Arc<Vec<Act>>);

/// To [`crate::audit_log::AuditLog`]: a record that is made already. An error: it is not in the trail.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Put(pub Box<Record>);

/// To [`crate::audit_log::AuditLog`]: the API refused a change that a service asked for.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Refused {
    /// The service, by the label of the task that asked.
    pub service: String,
    /// What it asked for, in one word.
    pub what: &'static str,
    /// The program that asked, if it can be told.
    pub exe: Option<String>,
    /// Its process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
}

/// To [`crate::audit_log::AuditLog`]: the kernel's counts. They only ever rise while `load` stays the same.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Counts {
    /// Identity of the load.
    pub load: u64,
    /// Repeats of acts.
    pub repeats: Vec<Repeat>,
    /// Acts without a record of their own.
    pub floods: Vec<Flood>,
    /// Losses by kind.
    pub loss: BTreeMap<String, u64>,
}

/// To [`crate::audit_log::AuditLog`]: names of the rules of a generation that is about to count.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Rules {
    /// The load that counts the generations.
    pub load: u64,
    /// The generation.
    pub generation: u64,
    /// The revision that it is compiled from.
    pub revision: u64,
    /// Names by index.
    pub names: Vec<String>,
}

/// To [`crate::audit_log::AuditLog`]: something that Bartizan itself has to say.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Tell {
    /// What about.
    pub kind: Kind,
    /// Which service, if one.
    pub service: Option<String>,
    /// One sentence.
    pub message: String,
}

/// To [`crate::audit_log::AuditLog`]: sign the end of the trail, since the daemon is about to end.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Sign;

/// To [`crate::audit_log::AuditLog`]: what waits on the way of records.
#[derive(Debug, Message)]
#[rtype(result = "Queues")]
pub struct ShowQueues;

/// Answer to [`ShowQueues`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queues {
    /// The newest record of the trail.
    pub newest: u64,
    /// Records that the trail could not take yet, as on a full disk.
    pub unwritten: u64,
    /// Records that the store for queries has yet to take in.
    pub store: u64,
    /// Each sink, the journal among them.
    pub sinks: Vec<SinkNow>,
}

/// How a sink is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkNow {
    /// Its name.
    pub name: String,
    /// Whether it took what it was given last.
    pub up: bool,
    /// Records that wait for it.
    pub waiting: u64,
    /// Records that it did not get, skipped or refused, since the daemon started.
    pub skipped: u64,
}

/// To [`crate::audit_log::AuditLog`]: answers when what was sent before is taken in.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Heard;

/// To [`crate::audit_log::AuditLog`]: records that are wanted, in the order of their ids.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Vec<Record>, String>")]
pub struct FindRecords {
    /// Which.
    pub wanted: Selection,
    /// Only records with a greater id.
    pub after: u64,
    /// At most so many.
    pub limit: usize,
    /// The newest so many, not the oldest.
    pub newest: bool,
}
