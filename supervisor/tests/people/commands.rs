//! What the commands print.

use serde_json::Value;

use crate::said::{bartizan, said};
use crate::served::{Served, refusal};

/// With records of 2026-11-28, one of them about an odd name.
fn served() -> Served {
    let served = Served::start();
    served.put(refusal(0, "USERS_ADMIN", "/etc/passwd"));
    served.put(refusal(10, "SSH", "/etc/ssh/\u{1b}[2J\u{9b}1m\u{202e}odd\nname"));
    let mut repeat = refusal(20, "SSH", "/etc/ssh/sshd_config");
    (repeat.count, repeat.repeats, repeat.verdict) = (41, Some(1), Some("audit".into()));
    served.put(repeat);
    served
}

/// Without the lines that tell how long something took, or when the test ran.
fn steady(text: String) -> String {
    let moving = |line: &&str| !["object ", "learned ", "program "].iter().any(|word| line.starts_with(word));
    let year = |line: &str| match line
        .find("20")
        .filter(|at| line[*at..].get(4..5) == Some("-") && !line.contains("2026-11-28T12:"))
    {
        Some(at) if line.get(at + 23..at + 24) == Some("Z") => format!("{}TIME{}", &line[..at], &line[at + 24..]),
        _ => line.to_owned(),
    };
    text.lines().filter(moving).map(year).collect::<Vec<_>>().join("\n")
}

#[test]
fn answers_for_people() {
    let served = served();
    let socket = served.socket();
    for (name, words) in [
        ("status", &["status"][..]),
        ("attest", &["attest"]),
        ("services", &["services"]),
        ("show", &["show", "web.service"]),
        ("explain", &["explain", "web", "write", "/etc/passwd"]),
        ("audits", &["audits", "--service", "web", "--kind", "capability"]),
        ("audits_limit", &["audits", "--limit", "1", "--verdict", "deny"]),
        ("audits_between", &["audits", "--since", "2026-11-28 12:05", "--until", "2026-11-28T12:15:00Z"]),
        ("policy_show", &["policy", "show"]),
        ("policy_history", &["policy", "history"]),
        ("policy_diff", &["policy", "diff", "/dev/null"]),
    ] {
        insta::assert_snapshot!(name, steady(said(&socket, words)));
    }
}

#[test]
fn no_control_character_is_printed() {
    let served = served();
    for words in [&["audits"][..], &["audits", "--json"], &["show", "web"], &["show", "web", "--json"], &["services"]] {
        let output = bartizan(&served.socket()).args(words).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let odd = text.chars().find(|letter| letter.is_control() && *letter != '\n');
        assert!(odd.is_none() && !text.is_empty(), "{words:?}: {odd:?} in {text:?}");
    }
}

#[test]
fn tables_fit_eighty_columns() {
    let served = served();
    for words in [&["services"][..], &["status"], &["policy", "history"]] {
        let output = bartizan(&served.socket()).args(words).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let wide = text.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{words:?}");
    }
}

#[test]
fn everything_is_json_for_programs() {
    let served = served();
    let policy = served.file("policy.toml");
    std::fs::write(&policy, "[[rule]]\nname = \"r\"\nservices = [\"web\"]\ncapabilities = { SHELL = \"alert\" }\n")
        .unwrap();
    let policy = policy.to_str().unwrap();
    let export = served.file("export.json");
    assert_eq!(
        said(&served.socket(), &["model", "export", "web", export.to_str().unwrap()]).lines().last(),
        Some("--- status 0")
    );
    let (export, trail) = (export.to_str().unwrap(), served.file("audit"));
    let trail = trail.to_str().unwrap();
    for words in [
        &["status"][..],
        &["attest"],
        &["services"],
        &["show", "web"],
        &["explain", "web", "write", "/etc/passwd"],
        &["simulate", "--policy", policy],
        &["policy", "show"],
        &["policy", "history"],
        &["policy", "check", policy],
        &["policy", "diff", policy],
        &["policy", "resolve", "--policy", policy, "nc"],
        &["model", "export", "web"],
        &["model", "merge", export, export],
        &["model", "diff", export, export],
        &["audits", "verify", trail],
        &["doctor"],
    ] {
        let output = bartizan(&served.socket()).args(words).arg("--json").output().unwrap();
        let value: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {output:?}"));
        assert!(value.is_object() || value.is_array(), "{words:?}");
        // An export is for people to read as well.
        let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
        assert!(lines == 1 || words[0] == "model", "{words:?}: one line");
    }
    let output = bartizan(&served.socket()).args(["--json", "audits"]).output().unwrap();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        assert!(serde_json::from_str::<Value>(line).unwrap()["id"].is_u64(), "{line}");
    }
}

#[test]
fn changes_are_told_in_json_as_well() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("that root changes something was not tried here");
        return;
    }
    let served = served();
    let policy = served.file("policy.toml");
    std::fs::write(&policy, "[[rule]]\nname = \"r\"\nservices = [\"web\"]\ncapabilities = { SHELL = \"alert\" }\n")
        .unwrap();
    let policy = policy.to_str().unwrap();
    let json = |words: &[&str]| -> Value {
        let output = bartizan(&served.socket()).args(words).arg("--json").output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let applied = json(&["policy", "apply", policy, "--confirm", "5m", "--why", "a test"]);
    assert_eq!((applied["confirm"].clone(), applied["revision"].clone()), (300.into(), 1.into()), "{applied}");
    assert_eq!(json(&["policy", "confirm"])["revision"], 1);
    assert_eq!(json(&["learn", "mail"]), serde_json::json!({"service": "mail", "done": "learn"}));
    assert_eq!(json(&["permissive", "web", "--for", "30m"]), serde_json::json!({"service": "web", "seconds": 1800}));
    let id = json(&["audits", "--capability", "SSH", "--limit", "1"])["id"].clone();
    let suggested = json(&["audits", "--suggest", &id.to_string()]);
    assert!(suggested["changes"][0]["diff"].as_str().unwrap().contains("+"), "{suggested}");
    let words = ["policy", "rollback", "1", "--json"];
    let output = bartizan(&served.socket()).args(words).output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"{"), "{output:?}");
}

#[test]
fn following_shows_what_comes_over_a_restart_as_well() {
    use std::io::{BufRead as _, BufReader};
    let served = served();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("bartizan"));
    command.env("BARTIZAN_SOCKET", served.socket()).stdout(std::process::Stdio::piped());
    let mut child =
        command.args(["audits", "--follow", "--limit", "1", "--capability", "SSH", "--json"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut path = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()["path"].clone();
    assert_eq!(path(), "/etc/ssh/sshd_config");
    served.put(refusal(30, "USERS", "/not/wanted"));
    served.put(refusal(31, "SSH", "/wanted"));
    assert_eq!(path(), "/wanted");
    let served = served.restarted();
    served.put(refusal(32, "SSH", "/after the restart"));
    assert_eq!(path(), "/after the restart");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn whoever_reads_a_part_is_no_trouble() {
    let served = Served::start();
    for minute in 0..60 {
        served.put(refusal(minute, "SSH", &"/x".repeat(2000)));
    }
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("bartizan"));
    command.env("BARTIZAN_SOCKET", served.socket()).args(["audits"]).stdout(std::process::Stdio::piped());
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn shells_take_their_completions() {
    let place = tempfile::tempdir().unwrap();
    for (shell, check) in [("bash", &["bash", "-n"][..]), ("zsh", &["zsh", "-n"]), ("fish", &["fish", "-n"])] {
        let output = bartizan(place.path()).args(["completions", shell]).output().unwrap();
        let file = place.path().join(shell);
        std::fs::write(&file, &output.stdout).unwrap();
        match std::process::Command::new(check[0]).args(&check[1..]).arg(&file).output() {
            Ok(done) => assert!(done.status.success() && output.stdout.len() > 1000, "{shell}: {done:?}"),
            Err(_) => eprintln!("the completions of {shell} were not tried here: there is no {shell}"),
        }
    }
    let complete = "source \"$1\"; COMP_WORDS=(bartizan policy ro); COMP_CWORD=2; _bartizan bartizan ro policy; echo \"${COMPREPLY[@]}\"";
    let bash = std::process::Command::new("bash")
        .args(["-c", complete, "-", place.path().join("bash").to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&bash.stdout).trim(), "rollback", "{bash:?}");
}
