//! What the commands say when they cannot: what is wrong, and what to do.

use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use crate::impostor::impostor;
use crate::said::{bartizan, said};
use crate::served::Served;

#[test]
fn wrong_words() {
    let served = Served::start();
    let socket = served.socket();
    for (name, words) in [
        ("unknown_command", &["statsu"][..]),
        ("unknown_service", &["show", "wbe"]),
        ("unknown_service_of_audits", &["audits", "--service", "mial"]),
        ("unknown_service_to_explain", &["explain", "wbe", "write", "/etc/passwd"]),
        ("unknown_capability", &["audits", "--capability", "USER_ADMIN"]),
        ("unknown_kind", &["audits", "--kind", "denials"]),
        ("unknown_verdict", &["audits", "--verdict", "denied"]),
        ("unknown_access", &["explain", "web", "wirte", "/etc/passwd"]),
        ("bad_time", &["audits", "--since", "soon"]),
        ("times_in_the_wrong_order", &["audits", "--since", "2026-11-28", "--until", "2026-11-27"]),
        ("bad_duration", &["permissive", "web", "--for", "ever"]),
        ("bad_limit", &["audits", "--limit", "0"]),
        ("no_such_record", &["audits", "--suggest", "999999"]),
        ("no_such_revision", &["policy", "show", "99"]),
        ("no_such_file", &["policy", "check", "/nowhere"]),
        ("control_characters", &["show", "\u{1b}[2Jweb"]),
        ("control_characters_of_a_command", &["\u{1b}[2J"]),
    ] {
        let text = said(&socket, words);
        let shown = text.split_once('\n').map(|(_, shown)| shown).unwrap_or_default();
        assert!(!shown.contains(|letter: char| letter.is_control() && letter != '\n'), "{shown:?}");
        assert!(shown.ends_with("--- status 2"), "{shown}");
        insta::assert_snapshot!(name, shown.replace("USAGE", ""));
    }
}

#[test]
fn no_daemon() {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("api.sock");
    let output = bartizan(&socket).arg("services").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.starts_with("bartizan: bartizand does not run (") && said.contains("api.sock: No such file"),
        "{said}"
    );
    let advised = said.contains("systemctl start bartizand") || said.contains("`bartizan doctor` says why");
    assert!(advised && said.lines().count() == 2, "{said}");
    // A socket that the daemon left behind.
    drop(UnixListener::bind(&socket).unwrap());
    let output = bartizan(&socket).arg("services").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.contains("refused")), (Some(3), true), "{said}");
}

#[test]
fn an_unsupported_kernel() {
    let place = tempfile::tempdir().unwrap();
    let output = bartizan(&place.path().join("api.sock")).args(["status", "--json"]).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(3), "{out}{err}");
    if bpf::load::probe().is_ok() {
        // Whoever may load programs finds nothing wrong but that the daemon is not there.
        assert!(err.contains("does not run"), "{err}");
        eprintln!("what an unsupported kernel is told was not tried here: this one is supported");
        return;
    }
    let status: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (status["enforcement"].as_str(), err.contains("`bartizan doctor`")),
        (Some("unsupported"), true),
        "{err}"
    );
}

#[test]
fn no_permission() {
    let served = Served::start();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("bartizan"));
    command.env("BARTIZAN_SOCKET", served.socket()).arg("services");
    if nix::unistd::geteuid().is_root() {
        command.uid(65534).gid(65534);
    } else {
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o000);
        std::fs::set_permissions(served.socket(), closed).unwrap();
    }
    let output = command.output().expect("the program can be run by everybody");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("no permission for ") && said.contains("group bartizan (`usermod -aG bartizan NAME`"),
        "{said}"
    );
}

#[test]
fn an_answer_that_makes_no_sense() {
    for (answer, part) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n\u{1b}[m", "the daemon's answer cannot be read"),
        ("HTTP/1.1 500 Oh\r\ncontent-length: 6\r\n\r\n\u{1b}[2Jno", "\\u{1b}[2Jno"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[", "api.sock: "),
        ("hello\r\n\r\n", "api.sock: "),
    ] {
        let (_place, socket) = impostor(answer, Duration::ZERO);
        let output = bartizan(&socket).arg("services").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(part) && !said.contains('\u{1b}') && output.stdout.is_empty(), "{said:?}");
    }
}
