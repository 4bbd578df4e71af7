//! `bartizan off` and `bartizan on`.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use actors::record::{Kind, Record};
use actors::sinks::write_to_journal;
use actors::trail::{Trail, aside};
use hyper::Method;
use serde::Serialize;

use super::client::{self, Trouble, ask};
use super::line::{Line, Paint};
use super::waiting::Waiting;
use super::{get, tell_of};
use crate::api::{OffRequest, Status, Switched};
use crate::{CANNOT, FINDING, GOOD, paths, switch};

const DAEMON: &str = "bartizand.service";
/// How long the daemon may take to start anew: loading takes seconds, under emulation many.
const PATIENCE: Duration = Duration::from_secs(120);
/// The same where it has nothing to load.
const PATIENCE_OFF: Duration = Duration::from_secs(30);

/// Answer to `off` and `on`.
#[derive(Serialize)]
struct Report<'a> {
    /// `disabled` or `enforcing`.
    enforcement: &'a str,
    /// For how long it is off.
    how_long: Option<&'a str>,
}

pub(super) fn off(until_reboot: bool, json: bool) -> Result<u8, Trouble> {
    let how_long = if !client::daemon_answers()? {
        without_daemon(until_reboot, false)?
    } else if let Some(switched) = asked_off(until_reboot)? {
        wait_for("disabled", PATIENCE_OFF);
        switched.how_long
    } else {
        without_daemon(until_reboot, true)?
    };
    let said = format!("Bartizan is SWITCHED OFF {how_long}: nothing is enforced and nothing is recorded.");
    let report = Report { enforcement: "disabled", how_long: Some(&how_long) };
    tell_of(json, &report, |screen| screen.line(Line::default().then(Paint::Bad, said)))?;
    Ok(GOOD)
}

pub(super) fn on(json: bool) -> Result<u8, Trouble> {
    if client::daemon_answers()? {
        if client::daemon_hangs()? {
            let advice = "`systemctl restart bartizand`, and then `bartizan on`";
            return Err(Trouble::new(CANNOT, format!("bartizand is there and does not answer: {advice}")));
        }
        answer(ask(Method::POST, "/v1/on", None)?)?;
    } else {
        must_be_root()?;
        switch::turn_on().map_err(|why| Trouble::new(CANNOT, why))?;
        systemctl(&["start", DAEMON])?;
    }
    match wait_for("enforcing", PATIENCE).as_str() {
        "enforcing" => {
            let said = || Line::default().then(Paint::Good, "Bartizan enforces.");
            tell_of(json, &Report { enforcement: "enforcing", how_long: None }, |screen| screen.line(said()))?;
        }
        other => {
            let advice = "see `bartizan status` and `journalctl -u bartizand`";
            return Err(Trouble::new(CANNOT, format!("Bartizan is switched on, and its state is {other}: {advice}")));
        }
    }
    Ok(GOOD)
}

/// Has the daemon switch off. Nothing: it hangs.
fn asked_off(until_reboot: bool) -> Result<Option<Switched>, Trouble> {
    if client::daemon_hangs()? {
        return Ok(None);
    }
    let body = serde_json::to_vec(&OffRequest { until_reboot }).unwrap_or_default();
    client::ask_within(PATIENCE, Method::POST, "/v1/off", body)?.map(answer).transpose()
}

fn answer(answer: client::Answer) -> Result<Switched, Trouble> {
    super::revisions::parsed(&answer.text)
}

/// Waits until the daemon, started anew, is in this state; the last state that it was seen in.
fn wait_for(wanted: &str, patience: Duration) -> String {
    let _waiting = Waiting::until("waiting until bartizand has started anew");
    let deadline = Instant::now() + patience;
    loop {
        // While it starts it is not asked what is wrong, which would have the kernel load programs.
        let asked = client::daemon_answers().unwrap_or(false).then(|| get::<Status>("/v1/status"));
        let state = match asked {
            Some(Ok((status, _))) => status.enforcement,
            _ => "that the daemon does not answer".to_owned(),
        };
        if state == wanted || Instant::now() > deadline {
            return state;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// The daemon may be what does not work any more: what is pinned has to end all the same. A labelled service is refused
/// the file by the kernel. `hangs`: it is there and says nothing, and keeps what runs in the kernel from ending.
fn without_daemon(until_reboot: bool, hangs: bool) -> Result<String, Trouble> {
    must_be_root()?;
    let by = format!("root (pid {}), while the daemon did not answer", std::process::id());
    let how_long = switch::turn_off(&by, until_reboot).map_err(|error| {
        let refused = error.kind() == std::io::ErrorKind::PermissionDenied;
        let advice = if refused { "; services may not switch Bartizan off: use a login session" } else { "" };
        Trouble::new(if refused { FINDING } else { CANNOT }, format!("{error}{advice}"))
    })?;
    // One that is starting has passed the switch already, and would enforce in a moment.
    let ended = hangs || unit_state() == "activating";
    if hangs {
        systemctl(&["kill", "-s", "SIGKILL", DAEMON])?;
    }
    if ended {
        systemctl(&["stop", DAEMON])?;
    }
    let detached = bpf::enforcement::detach().map_err(|error| Trouble::new(CANNOT, error.to_string()));
    let told = detached.and_then(|()| record(format!("Enforcement was switched OFF by {by}, {how_long}")));
    if ended {
        systemctl(&["start", "--no-block", DAEMON])?;
    }
    told?;
    Ok(how_long.to_owned())
}

fn must_be_root() -> Result<(), Trouble> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(Trouble::new(CANNOT, "only root may switch Bartizan on or off"))
}

fn unit_state() -> String {
    let shown = Command::new("systemctl").args(["show", "-p", "ActiveState", "--value", DAEMON]).output();
    shown.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// Puts it into the trail or, where somebody else writes that all the same, into the journal and beside the trail.
fn record(message: String) -> Result<(), Trouble> {
    let told = |error: std::io::Error| {
        Trouble::new(CANNOT, format!("Bartizan is switched off, but {} could not be told: {error}", paths::AUDIT))
    };
    // No kind of act is repeated here, so no older file has to be read for that.
    let (place, record) = (Path::new(paths::AUDIT), Record::plain(Kind::Lifecycle, message));
    match Trail::open(place.to_owned(), "none") {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            crate::logging::of_command();
            write_to_journal(&record);
            aside::put(place, &record).map_err(told).map(drop)
        }
        trail => trail.and_then(|mut trail| trail.append(record, None, 0)).map_err(told).map(drop),
    }
}

fn systemctl(words: &[&str]) -> Result<(), Trouble> {
    let done = Command::new("systemctl").args(words).status();
    if done.as_ref().is_ok_and(std::process::ExitStatus::success) {
        return Ok(());
    }
    let line = words.join(" ");
    Err(Trouble::new(CANNOT, format!("`systemctl {line}` failed: see `journalctl -u bartizand`")))
}

/// What goes for the machine when the daemon does not answer.
pub(super) fn without_answer() -> String {
    let unseen = std::fs::read_dir(bpf::pins::ROOT).is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound);
    if unseen || !bpf::pins::numbers().is_empty() {
        return "what it pinned is enforced all the same".to_owned();
    }
    match switch::disabled() {
        Some(why) => format!("nothing is enforced ({why})"),
        None => "nothing is pinned, so nothing is enforced".to_owned(),
    }
}
