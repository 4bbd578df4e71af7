//! `bartizan policy`.

use std::path::{Path, PathBuf};

use actors::messages::Applied;
use actors::revision_store::Revision;
use clap::Subcommand;
use hyper::Method;
use policy::diff::Difference;
use serde::Serialize;

use super::client::{Answer, Trouble, ask};
use super::line::{Line, Paint};
use super::resolve::resolve;
use super::screen::Screen;
use super::{check, examples, get, policy_files, tell, tell_of};
use crate::api::{ApplyRequest, HistoryAnswer, RollbackRequest};
use crate::config::time;
use crate::{BAD_INPUT, CANNOT, FINDING, GOOD, paths};

/// `bartizan policy …`.
#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Read and check policy files, and change nothing (needs no daemon)
    #[command(after_help = examples::POLICY_CHECK)]
    Check {
        /// A file, or a directory of *.toml
        #[arg(default_value = paths::POLICY)]
        path: PathBuf,
        /// Findings end it with 1: rules that contradict each other, never decide or are about nothing
        #[arg(long)]
        strict: bool,
    },
    /// What policy files would change, in words
    ///
    /// Ends with 1 if that is something.
    #[command(after_help = examples::POLICY_DIFF)]
    Diff {
        /// A file, or a directory of *.toml
        #[arg(default_value = paths::POLICY)]
        path: PathBuf,
        /// An earlier revision instead of files
        #[arg(long, conflicts_with = "path")]
        revision: Option<u64>,
    },
    /// A revision and its files: the one in force, or that of a number
    #[command(after_help = examples::POLICY_SHOW)]
    Show {
        /// Its number
        revision: Option<u64>,
    },
    /// Make policy files the new policy; returns when the kernel holds it
    #[command(after_help = examples::POLICY_APPLY)]
    Apply {
        /// A file, or a directory of *.toml
        #[arg(default_value = paths::POLICY)]
        path: PathBuf,
        /// Take it back by itself after this time, such as 5m, unless `policy confirm` comes first
        #[arg(long, value_name = "TIME")]
        confirm: Option<String>,
        /// Why: kept in the history
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Keep the revision that waits to be confirmed
    #[command(after_help = examples::POLICY_CONFIRM)]
    Confirm,
    /// Go back: to an earlier revision, as a new one, or from the one that waits to be confirmed
    #[command(after_help = examples::POLICY_ROLLBACK)]
    Rollback {
        /// Its number, as `policy history` shows it
        revision: Option<u64>,
        /// Why: kept in the history
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// What a path or the bare name of a program means on this host (needs no daemon)
    ///
    /// Ends with 1 if the host has no such thing.
    #[command(after_help = examples::POLICY_RESOLVE)]
    Resolve {
        /// A path, or a bare name such as nc
        name: String,
        /// Policy files, for capabilities of your own
        #[arg(long, default_value = paths::POLICY)]
        policy: PathBuf,
    },
    /// Every revision: who, when, why, and its digest
    #[command(after_help = examples::POLICY_HISTORY)]
    History,
}

impl PolicyCommand {
    pub(super) fn run(&self, json: bool) -> Result<u8, Trouble> {
        match self {
            PolicyCommand::Check { path, strict } => check::check(path, *strict, json),
            PolicyCommand::Diff { path, revision } => diff(path, *revision, json),
            PolicyCommand::Show { revision } => show(*revision, json),
            PolicyCommand::Apply { path, confirm, why } => apply(path, confirm.as_deref(), why.clone(), json),
            PolicyCommand::Confirm => {
                let answer = ask(Method::POST, "/v1/policy/confirm", None)?;
                let text = format!("revision {} is confirmed and stays in force", numbered(&answer));
                tell(json, &answer.text, |screen| screen.line(text))?;
                Ok(GOOD)
            }
            PolicyCommand::Rollback { revision, why } => rollback(*revision, why.clone(), json),
            PolicyCommand::Resolve { name, policy } => resolve(name, policy, json),
            PolicyCommand::History => history(json),
        }
    }
}

pub(super) fn files(path: &Path) -> Result<Vec<actors::revision_store::PolicyFile>, Trouble> {
    policy_files::read(path).map_err(|error| Trouble::new(BAD_INPUT, error))
}

pub(super) fn body(request: &impl Serialize) -> Result<Option<Vec<u8>>, Trouble> {
    let written = serde_json::to_vec(request);
    written.map(Some).map_err(|error| Trouble::new(CANNOT, format!("the request cannot be written: {error}")))
}

fn numbered(answer: &Answer) -> u64 {
    let value = serde_json::from_str::<serde_json::Value>(&answer.text).unwrap_or_default();
    value.get("revision").and_then(serde_json::Value::as_u64).unwrap_or_default()
}

pub(super) fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Trouble> {
    serde_json::from_str(text)
        .map_err(|error| Trouble::new(CANNOT, format!("the daemon's answer cannot be read: {error}")))
}

/// A time in seconds, one at least.
pub(super) fn seconds(text: &str) -> Result<u64, Trouble> {
    let found = time(text).map(|time| time.as_secs()).filter(|seconds| *seconds > 0);
    found.ok_or_else(|| {
        Trouble::new(BAD_INPUT, format!("expected a time such as 30m, 5m or 90s: `{}`", text.escape_debug()))
    })
}

fn diff(path: &Path, revision: Option<u64>, json: bool) -> Result<u8, Trouble> {
    let files = match revision {
        Some(number) => get::<Revision>(&format!("/v1/policy/{number}"))?.0.files,
        None => files(path)?,
    };
    let request = ApplyRequest { files, why: None, confirm: None };
    let answer = ask(Method::POST, "/v1/policy/diff", body(&request)?)?;
    let differences: Vec<Difference> = parsed(&answer.text)?;
    tell(json, &answer.text, |screen| match differences.is_empty() {
        true => screen.line("nothing changes"),
        false => differences.iter().try_for_each(|one| screen.line(Line::from(one.to_string()).hang(4))),
    })?;
    Ok(if differences.is_empty() { GOOD } else { FINDING })
}

fn show(revision: Option<u64>, json: bool) -> Result<u8, Trouble> {
    let path = revision.map_or_else(|| "/v1/policy".to_owned(), |number| format!("/v1/policy/{number}"));
    let (revision, text): (Revision, String) = get(&path)?;
    tell(json, &text, |screen| shown(screen, &revision))?;
    Ok(GOOD)
}

fn shown(screen: &mut Screen, revision: &Revision) -> Result<(), Trouble> {
    screen.line(format!("revision  {}", revision.number))?;
    screen.line(format!("applied   {} by {}", revision.time, revision.by))?;
    if let Some(why) = &revision.why {
        screen.line(Line::from(format!("why       {why}")).hang(10))?;
    }
    screen.line(format!("digest    {}", revision.digest))?;
    for file in &revision.files {
        screen.line("")?;
        screen.line(Line::default().then(Paint::Bold, format!("# {}", file.path)))?;
        file.text.lines().try_for_each(|line| screen.line(line))?;
    }
    Ok(())
}

/// What became of an `apply`, for programs.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    applied: Applied,
    findings: Vec<check::Told>,
    /// Seconds within which it has to be confirmed.
    confirm: Option<u64>,
}

fn apply(path: &Path, confirm: Option<&str>, why: Option<String>, json: bool) -> Result<u8, Trouble> {
    let confirm = confirm.map(seconds).transpose()?;
    let request = ApplyRequest { files: files(path)?, why, confirm };
    let applied: Applied = parsed(&ask(Method::POST, "/v1/policy", body(&request)?)?.text)?;
    let found = check::findings(&request.files);
    let report = Report { applied, findings: check::told(&found), confirm };
    let Applied { revision, entries, written } = applied;
    tell_of(json, &report, |screen| {
        check::print(screen, &found)?;
        screen.line(format!("{written} of {entries} entries of the kernel's maps differed and were written"))?;
        screen.line(format!("revision {revision} is in force, and the kernel holds it"))?;
        match confirm {
            Some(seconds) => {
                screen.line(format!("it is taken back in {seconds} s unless `bartizan policy confirm` comes first"))
            }
            None => Ok(()),
        }
    })?;
    Ok(GOOD)
}

fn rollback(revision: Option<u64>, why: Option<String>, json: bool) -> Result<u8, Trouble> {
    let answer = ask(Method::POST, "/v1/policy/rollback", body(&RollbackRequest { revision, why })?)?;
    let number = numbered(&answer);
    let text = match revision {
        Some(earlier) => format!("revision {number} is in force, with the files of revision {earlier}"),
        None => format!("revision {number} is in force again"),
    };
    tell(json, &answer.text, |screen| screen.line(text))?;
    Ok(GOOD)
}

fn history(json: bool) -> Result<u8, Trouble> {
    let (history, text): (HistoryAnswer, String) = get("/v1/policy/history")?;
    tell(json, &text, |screen| listed(screen, &history))?;
    Ok(if history.wrong.is_empty() { GOOD } else { FINDING })
}

/// The column of everything but the numbers.
const COLUMN: usize = 7;

fn listed(screen: &mut Screen, history: &HistoryAnswer) -> Result<(), Trouble> {
    for one in &history.revisions {
        let (paint, state) = match (one.state.as_str(), history.seconds_to_confirm) {
            ("waits to be confirmed", Some(left)) => (Paint::Note, format!("waits to be confirmed, {left} s left")),
            ("in force", _) => (Paint::Good, one.state.clone()),
            (state, _) => (Paint::Plain, state.to_owned()),
        };
        screen.line(Line::from(format!("{:>5}  {}  ", one.number, one.time)).then(paint, state).hang(COLUMN))?;
        let mut below = vec![format!("by {}", one.by)];
        below.extend(one.back_to.map(|earlier| format!("goes back to revision {earlier}")));
        below.extend(one.why.clone());
        below.push(one.digest.clone());
        below.into_iter().try_for_each(|text| screen.line(Line::from(format!("{:COLUMN$}{text}", "")).hang(COLUMN)))?;
    }
    let lost = |wrong: &String| Line::default().then(Paint::Bad, "LOST   ").then(Paint::Plain, wrong).hang(COLUMN);
    history.wrong.iter().try_for_each(|wrong| screen.line(lost(wrong)))
}
