//! Records of all shapes, for tests that compare.

use compact_str::CompactString;
use policy::access::Access;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use crate::clock;
use crate::record::{Ancestor, Destination, Kind, Numbered, Record, Shown};

/// Plain text, and such as needs escapes.
pub(super) fn text() -> impl Strategy<Value = CompactString> {
    prop_oneof!["[a-z/.]{0,20}", "[\\x00-\\x7f]{0,8}", ".{0,8}", "[\"\\\\\\]/.{\\[é\n]{0,8}"]
        .prop_map(CompactString::from)
}

fn time() -> impl Strategy<Value = CompactString> {
    prop_oneof![
        9 => (0..4_000_000_000_000_i64).prop_map(clock::rfc3339),
        1 => select(vec!["", "never", "2026-02-30T00:00:00.000Z", "2026-02-28T00:00:00+01:00"]).prop_map(CompactString::from),
    ]
}

fn verdict() -> impl Strategy<Value = Option<CompactString>> {
    select(vec![None, Some("deny"), Some("audit")]).prop_map(|verdict| verdict.map(CompactString::from))
}

fn ancestor() -> impl Strategy<Value = Ancestor> {
    (any::<u32>(), text(), time()).prop_map(|(pid, comm, start)| Ancestor { pid, comm, start })
}

fn destination() -> impl Strategy<Value = Destination> {
    let parts = (text(), any::<u16>(), text());
    parts.prop_map(|(address, port, protocol)| Destination { address, port, protocol })
}

/// What a record says of the process.
fn of_process() -> impl Strategy<Value = Record> {
    let numbers = (of(any::<u32>()), of(any::<u32>()), of(any::<u32>()), of(any::<u32>()));
    let texts = (of(text()), of(time()), of(text()), of(text()), vec(ancestor(), 0..4));
    (numbers, texts).prop_map(|((pid, uid, login_uid, session), (exe, start, command, container, ancestors))| Record {
        pid,
        uid,
        login_uid,
        session,
        exe,
        start,
        command,
        container,
        ancestors,
        ..Record::plain(Kind::Loss, String::new())
    })
}

/// What a record says of the object.
fn of_object() -> impl Strategy<Value = Record> {
    let access = of(select(vec![Access::Execute, Access::Read, Access::Write, Access::Connect, Access::Operate]));
    let parts = (of(text()), of(text()), of(any::<u64>()), of(destination()), access);
    (of_process(), parts).prop_map(|(record, (path, device, inode, destination, access))| Record {
        path,
        device,
        inode,
        destination,
        access,
        ..record
    })
}

/// What a record says of the decision.
fn of_decision() -> impl Strategy<Value = Record> {
    let shown = (text(), of(text())).prop_map(|(id, older)| Shown { id: format!("T{id}").into(), older });
    let parts = (of(text()), of(text()), verdict(), of(text()), vec(text(), 0..3), of(any::<u64>()), vec(shown, 0..3));
    (of_object(), parts).prop_map(
        |(record, (service, capability, verdict, rule, capabilities, revision, techniques))| Record {
            service,
            capability,
            verdict,
            rule,
            capabilities,
            revision,
            techniques,
            ..record
        },
    )
}

/// Any record.
pub(super) fn record() -> impl Strategy<Value = Record> {
    let kinds = crate::selection::KINDS.map(|(_, kind)| kind).to_vec();
    let sequence = (any::<u32>(), any::<u64>()).prop_map(|(cpu, number)| Numbered { cpu, number });
    let parts = (select(kinds), text(), any::<u64>(), any::<u64>(), of(any::<u64>()), of(sequence), of(text()), time());
    (of_decision(), parts).prop_map(|(record, (kind, message, id, count, repeats, sequence, host, time))| Record {
        kind,
        message,
        id,
        count,
        repeats,
        sequence,
        host,
        time,
        ..record
    })
}
