//! The units: one for each group of hooks, all at once.

use std::process::{Child, Command, Stdio};

use policy::selftest::{DIRECTORY, SERVICE};

use super::Answer;
use super::ground::{BOUND, BOUND_HERE, Ground};
use crate::cli::Waiting;

/// What hooks guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Execution,
    Open,
    Names,
    Attributes,
    UnixSocket,
    Network,
    Operations,
    OwnSafety,
}

impl Group {
    pub(super) const ALL: [Group; 8] = [
        Group::Execution,
        Group::Open,
        Group::Names,
        Group::Attributes,
        Group::UnixSocket,
        Group::Network,
        Group::Operations,
        Group::OwnSafety,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Group::Execution => "execution",
            Group::Open => "open",
            Group::Names => "names",
            Group::Attributes => "attributes",
            Group::UnixSocket => "unix-socket",
            Group::Network => "network",
            Group::Operations => "operations",
            Group::OwnSafety => "own-safety",
        }
    }
}

/// Starts every unit, and gives what they answer.
pub(super) fn run(hooks: &[String], ground: &Ground) -> Result<Vec<(Group, Answer)>, String> {
    let started: Vec<(Group, Child)> =
        Group::ALL.into_iter().map(|group| Ok((group, start(group, hooks, ground)?))).collect::<Result<_, String>>()?;
    let progress = Waiting::steps("the units of the self-test", started.len() as u64);
    let mut answers = Vec::new();
    for (group, child) in started {
        let done = child.wait_with_output().map_err(|error| format!("systemd-run: {error}"))?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            return Err(format!("the unit {} failed ({}): {}", unit(group), done.status, said.trim()));
        }
        for line in String::from_utf8_lossy(&done.stdout).lines() {
            let answer = serde_json::from_str(line)
                .map_err(|error| format!("the unit {} said `{line}`: {error}", unit(group)))?;
            answers.push((group, answer));
        }
        progress.step();
    }
    Ok(answers)
}

fn unit(group: Group) -> String {
    format!("{SERVICE}{}.service", group.name())
}

/// The mount namespace is the unit's own: what an act would do there ends with it.
fn start(group: Group, hooks: &[String], ground: &Ground) -> Result<Child, String> {
    let own = std::env::current_exe().map_err(|error| format!("/proc/self/exe: {error}"))?;
    Command::new("systemd-run")
        .args(["--quiet", "--wait", "--pipe", "--collect", "--unit", &unit(group)])
        .args(["-p", "PrivateMounts=yes", "-p", "RuntimeMaxSec=60"])
        .args(["-p", &format!("BindPaths={DIRECTORY}/{BOUND}:{DIRECTORY}/{BOUND_HERE}")])
        .arg(own)
        .args(["selftest-act", group.name(), &ground.target().to_string()])
        .args(hooks)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("systemd-run: {error}"))
}
