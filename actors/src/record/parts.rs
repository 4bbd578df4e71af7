//! What a record tells of the file, the process and the technique, beside who did what.

use bpf::event::{Act, Object};
use compact_str::{CompactString, format_compact};
use policy::attack::{self, Technique};
use serde::{Deserialize, Serialize};

use super::{Kind, Record, escape};
use crate::{clock, container};

/// A parent of the acting process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ancestor {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// The name of its main thread, of 15 bytes at most.
    pub comm: CompactString,
    /// When it was started, RFC 3339, UTC.
    pub start: CompactString,
}

/// The place of an event among those that one CPU told: each has the next number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered {
    /// The CPU.
    pub cpu: u32,
    /// From 1, since the kernel's programs were loaded.
    pub number: u64,
}

/// A technique that an act shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its id in version 19 of ATT&CK.
    pub id: CompactString,
    /// The id that it had before, where that is another.
    pub older: Option<CompactString>,
}

impl From<&Technique> for Shown {
    fn from(technique: &Technique) -> Shown {
        Shown { id: technique.id.as_str().into(), older: technique.older.as_deref().map(CompactString::from) }
    }
}

pub(super) fn of_kind(kind: Kind) -> Vec<Shown> {
    attack::of_kind(kind.name()).map(Shown::from).collect()
}

/// Adds what an act shows that needed these capabilities.
pub(super) fn show(shown: &mut Vec<Shown>, act: &Act, capabilities: &[CompactString]) {
    let name = match &act.object {
        Object::Path(path) => path.rsplit('/').next().unwrap_or(path),
        Object::Operation { name, .. } => name,
        Object::Destination { .. } | Object::Cgroup(_) => "",
    };
    for technique in capabilities.iter().flat_map(|capability| attack::of_act(capability, act.access, name)) {
        if shown.iter().all(|known| known.id != technique.id) {
            // Most acts show one: the room for four that a list has otherwise is more than small memory.
            shown.reserve_exact(1);
            shown.push(technique.into());
        }
    }
}

/// Tells what the kernel told of the file and the process.
pub(super) fn tell(record: &mut Record, act: &Act) {
    record.device = act.inode.map(|inode| format_compact!("{}:{}", inode.major, inode.minor));
    record.inode = act.inode.and_then(|inode| inode.number);
    record.start = act.acting.start.map(|time| clock::rfc3339(clock::ms_of(time)));
    record.login_uid = act.acting.login_uid;
    record.session = act.acting.session;
    record.container = container::of(&act.acting.cgroup).map(|name| escape(&name));
    record.sequence = act.sequence.map(|one| Numbered { cpu: one.cpu, number: one.number });
    let ancestor = |one: &bpf::event::Ancestor| Ancestor {
        pid: one.pid,
        comm: escape(&one.comm),
        start: clock::rfc3339(clock::ms_of(one.start)),
    };
    record.ancestors = act.acting.ancestors.iter().map(ancestor).collect();
}
