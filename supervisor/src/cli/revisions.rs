//! `bartizan policy` and `bartizan permissive`.

use std::path::{Path, PathBuf};

use actors::messages::Applied;
use actors::record::escape;
use actors::revision_store::Revision;
use clap::Subcommand;
use hyper::Method;
use policy::diff::Difference;
use serde::Serialize;

use super::client::{Answer, Trouble, ask, encode};
use super::resolve::resolve;
use super::{check, get, policy_files};
use crate::api::{ApplyRequest, HistoryAnswer, PermissiveRequest, RollbackRequest};
use crate::config::time;
use crate::{BAD_INPUT, CANNOT, FINDING, GOOD, paths};

/// `bartizan policy …`.
#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Read and check policy files, and change nothing (needs no daemon)
    Check {
        /// A file, or a directory of *.toml
        #[arg(default_value = paths::POLICY)]
        path: PathBuf,
        /// Findings end it with 1: rules that contradict each other, never decide or are about nothing
        #[arg(long)]
        strict: bool,
    },
    /// What policy files would change, in words (1: something)
    Diff {
        /// A file, or a directory of *.toml
        #[arg(default_value = paths::POLICY)]
        path: PathBuf,
        /// An earlier revision instead of files
        #[arg(long, conflicts_with = "path")]
        revision: Option<u64>,
        /// A JSON array
        #[arg(long)]
        json: bool,
    },
    /// A revision and its files: the one in force, or that of a number
    Show {
        /// Its number
        revision: Option<u64>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Make policy files the new policy; returns when the kernel holds it
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
    Confirm,
    /// Go back: to an earlier revision, as a new one, or from the one that waits to be confirmed
    Rollback {
        /// Its number, as `policy history` shows it
        revision: Option<u64>,
        /// Why: kept in the history
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// What a path or the bare name of a program means on this host (1: the host has no such thing; needs no daemon)
    Resolve {
        /// A path, or a bare name such as nc
        name: String,
        /// Policy files, for capabilities of your own
        #[arg(long, default_value = paths::POLICY)]
        policy: PathBuf,
        /// A JSON array
        #[arg(long)]
        json: bool,
    },
    /// Every revision: who, when, why, and its digest
    History {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

impl PolicyCommand {
    pub(super) fn run(&self) -> Result<u8, Trouble> {
        match self {
            PolicyCommand::Check { path, strict } => check::check(path, *strict),
            PolicyCommand::Diff { path, revision, json } => diff(path, *revision, *json),
            PolicyCommand::Show { revision, json } => show(*revision, *json),
            PolicyCommand::Apply { path, confirm, why } => apply(path, confirm.as_deref(), why.clone()),
            PolicyCommand::Confirm => {
                let number = numbered(&ask(Method::POST, "/v1/policy/confirm", None)?);
                println!("revision {number} is confirmed and stays in force");
                Ok(GOOD)
            }
            PolicyCommand::Rollback { revision, why } => rollback(*revision, why.clone()),
            PolicyCommand::Resolve { name, policy, json } => resolve(name, policy, *json),
            PolicyCommand::History { json } => history(*json),
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
        let text = text.escape_debug();
        Trouble::new(BAD_INPUT, format!("expected a time such as 30m, 5m or 90s: `{text}`"))
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
    if json {
        println!("{}", answer.text);
    } else if differences.is_empty() {
        println!("nothing changes");
    } else {
        differences.iter().for_each(|one| println!("{}", escape(&one.to_string())));
    }
    Ok(if differences.is_empty() { GOOD } else { FINDING })
}

fn show(revision: Option<u64>, json: bool) -> Result<u8, Trouble> {
    let path = revision.map_or_else(|| "/v1/policy".to_owned(), |number| format!("/v1/policy/{number}"));
    let (revision, text): (Revision, String) = get(&path)?;
    if json {
        println!("{text}");
        return Ok(GOOD);
    }
    println!("revision  {}", revision.number);
    println!("applied   {} by {}", revision.time, escape(&revision.by));
    if let Some(why) = &revision.why {
        println!("why       {}", escape(why));
    }
    println!("digest    {}", revision.digest);
    for file in &revision.files {
        println!("\n# {}", escape(&file.path));
        file.text.lines().for_each(|line| println!("{}", escape(line)));
    }
    Ok(GOOD)
}

fn apply(path: &Path, confirm: Option<&str>, why: Option<String>) -> Result<u8, Trouble> {
    let confirm = confirm.map(seconds).transpose()?;
    let request = ApplyRequest { files: files(path)?, why, confirm };
    let Applied { revision, entries, written } = parsed(&ask(Method::POST, "/v1/policy", body(&request)?)?.text)?;
    check::print(&check::findings(&request.files));
    println!("{written} of {entries} entries of the kernel's maps differed and were written");
    println!("revision {revision} is in force, and the kernel holds it");
    if let Some(seconds) = confirm {
        println!("it is taken back in {seconds} s unless `bartizan policy confirm` comes first");
    }
    Ok(GOOD)
}

fn rollback(revision: Option<u64>, why: Option<String>) -> Result<u8, Trouble> {
    let answer = ask(Method::POST, "/v1/policy/rollback", body(&RollbackRequest { revision, why })?)?;
    let number = numbered(&answer);
    match revision {
        Some(earlier) => println!("revision {number} is in force, with the files of revision {earlier}"),
        None => println!("revision {number} is in force again"),
    }
    Ok(GOOD)
}

fn history(json: bool) -> Result<u8, Trouble> {
    let (history, text): (HistoryAnswer, String) = get("/v1/policy/history")?;
    if json {
        println!("{text}");
        return Ok(GOOD);
    }
    for one in &history.revisions {
        let state = match (one.state.as_str(), history.seconds_to_confirm) {
            ("waits to be confirmed", Some(left)) => format!("waits to be confirmed, {left} s left"),
            (state, _) => state.to_owned(),
        };
        println!("{:>5}  {}  {state}", one.number, one.time);
        println!("       by {}", escape(&one.by));
        if let Some(earlier) = one.back_to {
            println!("       goes back to revision {earlier}");
        }
        if let Some(why) = &one.why {
            println!("       {}", escape(why));
        }
        println!("       {}", one.digest);
    }
    for wrong in &history.wrong {
        println!("LOST   {}", escape(wrong));
    }
    Ok(if history.wrong.is_empty() { GOOD } else { FINDING })
}

/// `bartizan permissive`.
pub(super) fn permissive(service: &str, time: Option<&str>, end: bool) -> Result<u8, Trouble> {
    let seconds = if end { 0 } else { seconds(time.unwrap_or_default())? };
    let path = format!("/v1/services/{}/permissive", encode(service));
    ask(Method::POST, &path, body(&PermissiveRequest { seconds })?)?;
    if end {
        println!("{service} is no longer permissive, and the kernel holds it");
    } else {
        println!("{service} is permissive for {seconds} s: what rules refuse is permitted and recorded");
    }
    Ok(GOOD)
}
