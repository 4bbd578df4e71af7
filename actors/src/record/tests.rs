#![allow(clippy::unwrap_used)]

use super::*;
use bpf::event::{Acting, Ancestor, Inode, Sequence};
use std::time::SystemTime;

pub(crate) fn act(access: Access, object: Object) -> Act {
    Act {
        time: SystemTime::UNIX_EPOCH,
        why: Why::Capability,
        service: "http-server".into(),
        access,
        verdict: Verdict::Deny,
        capabilities: 1 << 6,
        rule: Some(1),
        generation: 1,
        object,
        exe: "/usr/bin/python3.11".into(),
        pid: 7,
        uid: 0,
        inode: None,
        acting: Acting::default(),
        sequence: None,
        at_start: false,
        key: 9,
    }
}

fn message_of(access: Access, object: Object) -> String {
    Record::of_act(&act(access, object), None, vec!["USERS_ADMIN".into()]).message.into()
}

#[test]
fn messages_are_exactly_those_of_the_contract() {
    let path = |text: &str| Object::Path(text.into());
    let head = "Service http-server attempted to obtain capability USERS_ADMIN by ";
    assert_eq!(message_of(Access::Execute, path("/usr/sbin/useradd")), format!("{head}executing /usr/sbin/useradd"));
    assert_eq!(message_of(Access::Write, path("/etc/passwd")), format!("{head}writing /etc/passwd"));
    assert_eq!(message_of(Access::Read, path("/etc/shadow")), format!("{head}reading /etc/shadow"));
    assert_eq!(message_of(Access::Connect, path("/run/docker.sock")), format!("{head}connecting to /run/docker.sock"));
    let mount = Object::Operation { name: "mount", path: "/x".into() };
    assert_eq!(message_of(Access::Operate, mount), format!("{head}performing mount on /x"));
    let mut out = act(
        Access::Connect,
        Object::Destination { address: "203.0.113.7".parse().unwrap(), port: 25, protocol: "tcp".into() },
    );
    out.why = Why::Outbound;
    let text = Record::of_act(&out, Some("no mail"), Vec::new()).message;
    assert_eq!(text, "Service http-server attempted an outbound connection to 203.0.113.7:25/tcp");
}

#[test]
fn every_field_is_there_and_what_does_not_apply_is_null() {
    let record = Record::plain(Kind::Lifecycle, "Bartizan started");
    let json: serde_json::Value = serde_json::to_value(&record).unwrap();
    let fields: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "time",
        "id",
        "kind",
        "service",
        "capability",
        "access",
        "verdict",
        "path",
        "exe",
        "pid",
        "uid",
        "rule",
        "message",
        "destination",
        "capabilities",
        "count",
        "repeats",
        "revision",
        "device",
        "inode",
        "start",
        "login_uid",
        "session",
        "command",
        "ancestors",
        "container",
        "host",
        "sequence",
        "techniques",
    ];
    assert_eq!(fields.len(), expected.len());
    assert!(expected.iter().all(|name| fields.contains(name)), "{fields:?}");
    assert!(json["service"].is_null() && json["repeats"].is_null());
    assert_eq!(json["kind"], "lifecycle");
}

#[test]
fn names_cannot_act_on_a_terminal() {
    let record = Record::of_act(&act(Access::Write, Object::Path("/tmp/a\n\u{1b}[31m".into())), None, Vec::new());
    assert_eq!(record.path.as_deref(), Some("/tmp/a\\n\\u{1b}[31m"));
    assert!(!record.message.contains('\u{1b}') && !record.message.contains('\n'));
}

#[test]
fn a_repeat_points_at_the_first() {
    let mut first = Record::of_act(&act(Access::Write, Object::Path("/etc/passwd".into())), None, Vec::new());
    first.id = 41;
    let again = Record::repeat(&first, 3);
    assert_eq!((again.count, again.repeats), (3, Some(41)));
    assert_eq!(Record::repeat(&again, 2).repeats, Some(41));
}

#[test]
fn a_record_tells_the_file_the_process_and_the_technique() {
    let mut one = act(Access::Read, Object::Path("/etc/shadow".into()));
    one.inode = Some(Inode { major: 254, minor: 1, number: Some(12) });
    one.sequence = Some(Sequence { cpu: 1, number: 9 });
    one.acting.start = Some(SystemTime::UNIX_EPOCH);
    one.acting.session = Some(3);
    one.acting.ancestors = vec![Ancestor { pid: 5, comm: "a\nb".into(), start: SystemTime::UNIX_EPOCH }];
    one.acting.cgroup = vec!["machine-box.scope".into()];
    one.acting.command.bytes = b"tool\0hush\0".to_vec();
    let record = Record::of_act(&one, None, vec!["USERS_ADMIN".into()]);
    assert_eq!((record.device.as_deref(), record.inode), (Some("254:1"), Some(12)));
    assert_eq!(record.sequence, Some(Numbered { cpu: 1, number: 9 }));
    assert_eq!(
        (record.start.as_deref(), record.session, record.login_uid),
        (Some("1970-01-01T00:00:00.000Z"), Some(3), None)
    );
    let parent = super::Ancestor { pid: 5, comm: "a\\nb".into(), start: "1970-01-01T00:00:00.000Z".into() };
    assert_eq!((record.ancestors, record.container.as_deref()), (vec![parent], Some("box")));
    assert_eq!(record.techniques, [Shown { id: "T1003.008".into(), older: None }]);
    assert_eq!(record.command, None, "nothing has taken out the secrets yet");
    let tamper = Record::plain(Kind::Tamper, "one");
    assert_eq!(tamper.techniques, [Shown { id: "T1685".into(), older: Some("T1562.001".into()) }]);
}

#[test]
fn a_record_of_an_earlier_version_is_read() {
    let earlier = r#"{"time":"2026-11-25T18:22:02.120Z","id":7,"kind":"capability","service":"web","capability":"SHELL","access":"execute",
        "verdict":"deny","path":"/usr/bin/dash","exe":"/usr/sbin/web","pid":3,"uid":0,"rule":null,"message":"one","destination":null,
        "capabilities":["SHELL"],"count":1,"repeats":null}"#;
    let record: Record = serde_json::from_str(earlier).unwrap();
    assert_eq!((record.id, record.revision, record.host, record.ancestors.len()), (7, None, None, 0));
}
