//! On a terminal: colours, folding, a pager, and a word when something takes long. `script` (bsdutils, on every Debian) is the
//! terminal.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::impostor::impostor;
use crate::served::{Served, refusal};

/// What a terminal of these rows and columns gets.
fn shown(socket: &Path, (rows, columns): (u32, u32), set: &[(&str, &str)], words: &str) -> String {
    let program = assert_cmd::cargo::cargo_bin!("bartizan").display().to_string();
    let line = format!("stty rows {rows} cols {columns}; exec {program} {words}");
    let mut command = Command::new("script");
    command.args(["-qefc", &line, "/dev/null"]).stdin(std::process::Stdio::null());
    command
        .env("BARTIZAN_SOCKET", socket)
        .env("TERM", "xterm")
        .env("PAGER", "")
        .env_remove("NO_COLOR")
        .envs(set.iter().copied());
    let output = command.output().expect("`script` of bsdutils");
    String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n")
}

const SIZE: (u32, u32) = (24, 80);

#[test]
fn colours_are_for_terminals_that_want_them() {
    let served = Served::start();
    let text = shown(&served.socket(), SIZE, &[], "status");
    assert!(text.contains("enforcement  \x1b[32menforcing\x1b[0m"), "{text:?}");
    for set in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let text = shown(&served.socket(), SIZE, &[set], "status");
        assert!(text.contains("enforcement  enforcing") && !text.contains('\x1b'), "{set:?}: {text:?}");
    }
    let json = shown(&served.socket(), SIZE, &[], "status --json");
    assert!(json.starts_with("{") && !json.contains('\x1b'), "{json:?}");
}

#[test]
fn names_do_nothing_to_the_terminal() {
    let served = Served::start();
    served.put(refusal(1, "SSH", "/etc/\u{1b}]0;title\u{7}\u{9b}2J"));
    for words in ["audits", "audits --json"] {
        let text = shown(&served.socket(), SIZE, &[("NO_COLOR", "1")], words);
        let odd = text.chars().find(|letter| letter.is_control() && *letter != '\n');
        assert!(odd.is_none() && text.contains("title"), "{odd:?} in {text:?}");
    }
}

#[test]
fn long_lines_are_folded_under_their_column() {
    let served = Served::start();
    served.put(refusal(1, "SSH", "/etc/ssh/sshd_config"));
    let text = shown(&served.socket(), SIZE, &[("NO_COLOR", "1")], "audits --kind capability");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() >= 2 && lines.iter().all(|line| line.chars().count() <= 80), "{text}");
    assert!(lines[1..].iter().all(|line| line.starts_with("             ")), "{text}");
    let wide = shown(&served.socket(), (24, 300), &[("NO_COLOR", "1")], "audits --kind capability");
    assert_eq!(wide.lines().count(), 1, "{wide}");
}

#[test]
fn what_does_not_fit_goes_through_the_pager() {
    let served = Served::start();
    for minute in 0..30 {
        served.put(refusal(minute, "SSH", "/x"));
    }
    let paged =
        |rows| shown(&served.socket(), (rows, 200), &[("PAGER", "sed s/^/paged:/")], "audits --kind capability");
    let long = paged(10);
    assert_eq!(long.lines().filter(|line| line.starts_with("paged:")).count(), 30, "{long}");
    assert!(!paged(60).contains("paged:"), "what fits is shown as it is");
    let missing = shown(&served.socket(), (10, 200), &[("PAGER", "/nowhere/pager")], "audits --kind capability");
    assert_eq!(missing.lines().count(), 30, "without a pager it is shown all the same: {missing}");
    let part = shown(&served.socket(), (10, 200), &[("PAGER", "head -n 1")], "audits --kind capability");
    assert_eq!(part.lines().count(), 1, "a pager that was left is no trouble: {part}");
}

#[test]
fn what_takes_long_is_told() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";
    let (_place, socket) = impostor(answer, Duration::from_millis(1600));
    let text = shown(&socket, SIZE, &[], "services");
    assert!(text.contains("waiting for bartizand"), "{text:?}");
    assert!(text.contains("SERVICE"), "{text:?}");
    let output = crate::said::bartizan(&socket).arg("services").output().unwrap();
    assert_eq!(output.stderr, b"", "off a terminal nothing is");
    let served = Served::start();
    let quick = shown(&served.socket(), SIZE, &[], "services");
    assert!(!quick.contains("waiting"), "nor what takes no second: {quick:?}");
}

#[test]
fn how_far_a_verification_is_is_told() {
    let place = tempfile::tempdir().unwrap();
    for first in [1, 2] {
        let file = place.path().join(format!("audit-{first}-20260101.jsonl"));
        nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
        // A file that takes its time, as large ones do.
        std::thread::spawn(move || {
            let _writer = std::fs::OpenOptions::new().write(true).open(file).unwrap();
            std::thread::sleep(Duration::from_millis(1600));
        });
    }
    let text = shown(Path::new("/nowhere"), SIZE, &[], &format!("audits verify {}", place.path().display()));
    assert!(text.contains("verifying, files [") && text.contains("0/2") && text.contains("1/2"), "{text:?}");
    assert!(text.contains("no record in 2 files") || text.contains("no record"), "{text:?}");
}

#[test]
fn every_answer_fits_the_terminal() {
    let served = Served::start();
    for minute in 0..5 {
        served.put(refusal(minute, "SSH", &format!("/etc/ssh/{}", "long".repeat(14))));
    }
    let policy = served.file("policy.toml");
    let name = "a rule with a name that is rather long, so that it does not fit beside all the other words of its line";
    let rule = format!("[[rule]]\nname = \"{name}\"\nservices = [\"web\"]\ncapabilities = {{ SHELL = \"prevent\" }}\n");
    std::fs::write(&policy, rule).unwrap();
    let (policy, trail) = (policy.display().to_string(), served.file("audit").display().to_string());
    for words in [
        "status".to_owned(),
        "attest".to_owned(),
        "services".to_owned(),
        "show web".to_owned(),
        "audits".to_owned(),
        "explain web write /etc/passwd".to_owned(),
        "doctor".to_owned(),
        "policy show".to_owned(),
        format!("policy check {policy}"),
        format!("policy diff {policy}"),
        format!("policy resolve --policy {policy} nc"),
        format!("simulate --policy {policy}"),
        format!("audits verify {trail}"),
        "--help".to_owned(),
        "audits --help".to_owned(),
        "policy apply --help".to_owned(),
    ] {
        let text = shown(&served.socket(), SIZE, &[("NO_COLOR", "1")], &words);
        let wide = text.lines().find(|line| line.chars().count() > 80);
        assert!(wide.is_none() && !text.is_empty(), "{words}: {wide:?}");
    }
}

/// A terminal that can be looked at, of 24 rows and 80 columns; it ends with this.
struct Tmux(String);

impl Tmux {
    fn run(&self, words: &[&str]) -> String {
        let output = Command::new("tmux").args(["-L", &self.0, "-f", "/dev/null"]).args(words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What is on the screen, once it has this.
    fn until(&self, wanted: &str) -> String {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            let screen = self.run(&["capture-pane", "-p"]);
            if screen.contains(wanted) {
                return screen;
            }
            assert!(std::time::Instant::now() < deadline, "{wanted} is not on the screen:\n{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

#[test]
fn in_tmux_people_page_and_leave() {
    if Command::new("tmux").arg("-V").output().is_err() || Command::new("less").arg("-V").output().is_err() {
        eprintln!("what tmux shows was not tried here: there is no tmux, or no less");
        return;
    }
    let served = Served::start();
    for minute in 0..59 {
        served.put(refusal(minute, "SSH", &format!("/etc/ssh/\u{1b}[2J{minute}")));
    }
    let tmux = Tmux(format!("bartizan-{}", std::process::id()));
    let program = assert_cmd::cargo::cargo_bin!("bartizan").display().to_string();
    let socket = served.socket().display().to_string();
    let command =
        format!("BARTIZAN_SOCKET={socket} PAGER=less {program} audits --kind capability; echo left with $?; sleep 60");
    tmux.run(&["new-session", "-d", "-x", "80", "-y", "24", &command]);
    let first = tmux.until("/etc/ssh/\\u{1b}[2J0 ");
    assert!(first.lines().all(|line| line.chars().count() <= 80) && !first.contains("2J58"), "{first}");
    tmux.run(&["send-keys", "G"]);
    tmux.until("2J58 ");
    tmux.run(&["send-keys", "q"]);
    tmux.until("left with 0");
}
