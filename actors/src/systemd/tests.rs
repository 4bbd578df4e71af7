#![allow(clippy::unwrap_used)]

use super::*;

/// As systemd 252 printed it on a Debian 12 guest, shortened: ssh after a reload, a timer's oneshot after its run, and what
/// is not there.
const SHOWN: &str = "Type=notify
Result=success
ExecMainExitTimestampMonotonic=0
ExecReload={ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -t ; ignore_errors=no ; start_time=[Sat 2026-11-28 11:11:33 UTC] ; stop_time=[Sat 2026-11-28 11:11:33 UTC] ; pid=406 ; code=exited ; status=0 }
ExecReload={ path=/bin/kill ; argv[]=/bin/kill -HUP $MAINPID ; ignore_errors=no ; start_time=[Sat 2026-11-28 11:11:33 UTC] ; stop_time=[Sat 2026-11-28 11:11:34 UTC] ; pid=408 ; code=exited ; status=0 }
Id=ssh.service
TriggeredBy=
LoadState=loaded
ActiveState=active
SubState=running
StateChangeTimestampMonotonic=62315490
InactiveExitTimestampMonotonic=33306925
ActiveEnterTimestampMonotonic=39844449
CanReload=yes
InvocationID=9079d34e4df74a9583c0d9e62b8aa65a

Type=oneshot
Result=success
ExecMainExitTimestampMonotonic=73835244
Id=tt.service
TriggeredBy=tt.timer tt.path
LoadState=loaded
ActiveState=inactive
SubState=dead
StateChangeTimestampMonotonic=73880769
InactiveExitTimestampMonotonic=73777584
ActiveEnterTimestampMonotonic=0
CanReload=no
InvocationID=d929a2433fb744d291ed6f0e3327c3ec

Type=
Result=success
ExecMainExitTimestampMonotonic=0
Id=nonsense.service
TriggeredBy=
LoadState=not-found
ActiveState=inactive
CanReload=no
InvocationID=
";

fn shown(text: &str, timers: &str) -> Vec<Unit> {
    let last = triggers(&parse(timers));
    parse(text).iter().map(|block| unit(block, &last, 100_000_000)).collect()
}

#[test]
fn units_are_read_as_systemd_shows_them() {
    let timers =
        "LastTriggerUSecMonotonic=1min 13.654364s\nId=tt.timer\n\nLastTriggerUSecMonotonic=0\nId=other.timer\n";
    let units = shown(SHOWN, timers);
    let ssh = Unit {
        name: "ssh.service".to_owned(),
        loaded: true,
        invocation: Some("9079d34e4df74a9583c0d9e62b8aa65a".to_owned()),
        up: Some(Duration::from_micros(60_155_551)),
        reloads: true,
        reload: Some("Sat 2026-11-28 11:11:33 UTC 408".to_owned()),
        ..Unit::default()
    };
    let timed = Unit {
        name: "tt.service".to_owned(),
        loaded: true,
        invocation: Some("d929a2433fb744d291ed6f0e3327c3ec".to_owned()),
        finished: true,
        timed: true,
        by_timer: true,
        ..Unit::default()
    };
    assert_eq!(units, [ssh, timed, Unit { name: "nonsense.service".to_owned(), ..Unit::default() }]);
}

#[test]
fn what_did_not_happen_is_not_seen() {
    let never = SHOWN.replace("start_time=[Sat 2026-11-28 11:11:33 UTC]", "start_time=[n/a]");
    let never = never.replace("pid=406", "pid=0").replace("pid=408", "pid=0").replace("Type=oneshot", "Type=simple");
    let never = never.replace("Result=success", "Result=exit-code");
    let units = shown(&never, "LastTriggerUSecMonotonic=2min 3s\nId=tt.timer\n");
    assert_eq!(units.iter().filter_map(|unit| unit.reload.as_ref()).count(), 0, "{units:?}");
    assert!(!units[1].by_timer, "it was started before the timer elapsed: {units:?}");
    assert!(!units[1].finished, "it failed: {units:?}");
    let later = shown(&never, "LastTriggerUSecMonotonic=3s\nId=tt.timer\n");
    assert!(later[1].by_timer, "within the time that a start may take: {later:?}");
}

#[test]
fn a_reload_by_a_signal_is_seen_in_the_state() {
    let plain = "Id=x.service\nLoadState=loaded\nType=notify-reload\nActiveState=active\nSubState=running\n\
                 ActiveEnterTimestampMonotonic=5\nStateChangeTimestampMonotonic=5\nCanReload=yes\n";
    assert_eq!(shown(plain, "")[0].reload, None);
    let reloaded = plain.replace("StateChangeTimestampMonotonic=5", "StateChangeTimestampMonotonic=9");
    assert_eq!(shown(&reloaded, "")[0].reload.as_deref(), Some("9"));
    assert_eq!(shown(&reloaded.replace("notify-reload", "notify"), "")[0].reload, None);
}

#[test]
fn spans_are_read_as_systemd_prints_them() {
    let spans =
        [("1min 13.654364s", 73_654_364), ("980us", 980), ("2d 3h 12ms", 183_600_012_000), ("1w", 604_800_000_000)];
    for (text, micros) in spans {
        assert_eq!(timespan(text), Some(micros), "{text}");
    }
    for text in ["0", "", "infinity", "soon"] {
        assert_eq!(timespan(text), None, "{text}");
    }
}

#[test]
fn names_are_asked_for_and_found_again() {
    assert_eq!(pattern("nginx"), "nginx.service");
    assert_eq!(pattern("getty@"), "getty@*.service");
    assert_eq!(pattern(r"a\x2db@"), r"a\\x2db@*.service");
    assert_eq!(service_of("getty@tty1.service"), "getty@");
    assert_eq!(service_of("php8.2-fpm.service"), "php8.2-fpm");
}
