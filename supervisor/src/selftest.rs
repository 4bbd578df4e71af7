//! `bartizan selftest`: for each group of hooks a unit of its own does what it must not, and the kernel has to have
//! refused it, and to have said so. Acts are harmless where they succeed; nothing of the operator's is touched.

mod acts;
mod ground;
mod groups;
mod records;

use std::io::Write as _;

use actors::record::Record;
use serde::{Deserialize, Serialize};

use crate::cli::{Line, Paint, Screen, Status, Trouble, daemon_status, tell_of};
use crate::{CANNOT, FINDING, GOOD};
use groups::Group;

/// What an act came to, as the unit reports it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Answer {
    hook: String,
    /// What was done, as the message of the record has it.
    words: String,
    /// 0: the act succeeded.
    errno: i32,
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Outcome {
    group: &'static str,
    hook: String,
    act: String,
    errno: i32,
    /// Whether the kernel refused it with EPERM.
    refused: bool,
    /// The audit record that names it; null: there is none.
    record: Option<u64>,
}

/// `selftest --json`.
#[derive(Debug, Serialize)]
struct Report {
    passed: bool,
    outcomes: Vec<Outcome>,
    /// Hooks in use for which there is no act that would be harmless if it succeeded.
    untried: Vec<String>,
}

/// Runs every group and prints what came of it; the exit status.
pub(crate) fn run(json: bool) -> Result<u8, Trouble> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Trouble::new(CANNOT, "only root can start the units that the self-test consists of"));
    }
    let status: Status = daemon_status()?;
    if !["enforcing", "degraded"].contains(&status.enforcement.as_str()) {
        return Err(Trouble::new(CANNOT, format!("there is nothing to test: enforcement is {}", status.enforcement)));
    }
    let hooks: Vec<String> = status.hooks.into_iter().map(|hook| hook.name).collect();
    let report = examine(&hooks)?;
    tell_of(json, &report, |screen| print(screen, &report))?;
    Ok(if report.passed { GOOD } else { FINDING })
}

/// What runs inside the unit: the acts of one group, one line of JSON each.
pub(crate) fn act(group: &str, target: u32, hooks: &[String]) -> u8 {
    let Some(group) = Group::ALL.into_iter().find(|known| known.name() == group) else { return crate::BAD_INPUT };
    for one in acts::of(group).filter(|one| hooks.iter().any(|hook| hook == one.hook)) {
        let answer = one.perform(target);
        println!("{}", serde_json::to_string(&answer).unwrap_or_default());
        // What the next act does to this process must not keep this line in.
        let _ = std::io::stdout().flush();
    }
    GOOD
}

fn examine(hooks: &[String]) -> Result<Report, Trouble> {
    let cannot = |why: String| Trouble::new(CANNOT, why);
    let since = records::newest()?;
    let ground =
        ground::Ground::prepare().map_err(|error| cannot(format!("{}: {error}", policy::selftest::DIRECTORY)))?;
    let answers = groups::run(hooks, &ground).map_err(cannot)?;
    drop(ground);
    let wanted: Vec<&str> = answers.iter().map(|(_, answer)| answer.words.as_str()).collect();
    let found: Vec<Record> = records::wait_for(since, &wanted)?;
    let outcomes: Vec<Outcome> = answers.iter().map(|(group, answer)| outcome(*group, answer, &found)).collect();
    let passed = !outcomes.is_empty() && outcomes.iter().all(|one| one.refused && one.record.is_some());
    let tried = |hook: &String| answers.iter().any(|(_, answer)| answer.hook == *hook);
    let untried = hooks.iter().filter(|hook| !acts::watches(hook) && !tried(hook)).cloned().collect();
    Ok(Report { passed, outcomes, untried })
}

fn outcome(group: Group, answer: &Answer, found: &[Record]) -> Outcome {
    let record = found.iter().find(|record| records::tells(record, &answer.words)).map(|record| record.id);
    Outcome {
        group: group.name(),
        hook: answer.hook.clone(),
        act: answer.words.clone(),
        errno: answer.errno,
        refused: answer.errno == eperm(),
        record,
    }
}

fn eperm() -> i32 {
    nix::errno::Errno::EPERM as i32
}

fn print(screen: &mut Screen, report: &Report) -> Result<(), Trouble> {
    for one in &report.outcomes {
        let errno = nix::errno::Errno::from_raw(one.errno);
        let (paint, word) = match one.errno {
            0 => (Paint::Bad, "NOT refused".to_owned()),
            _ if one.refused => (Paint::Good, "refused".to_owned()),
            _ => (Paint::Bad, format!("NOT refused, but failed with {errno:?}")),
        };
        let record = one.record.map_or_else(|| "NOT on record".to_owned(), |id| format!("record {id}"));
        let line = Line::from(format!("{:<12} {:<20} ", one.group, one.hook)).then(paint, word);
        screen.line(line.then(Paint::Plain, format!(": {}, {record}", one.act)).hang(34))?;
    }
    if !report.untried.is_empty() {
        let text = format!("not tried, as no act on them is harmless: {}", report.untried.join(", "));
        screen.line(Line::from(text).hang(4))?;
    }
    let good = report.outcomes.iter().filter(|one| one.refused && one.record.is_some()).count();
    screen.line(format!("The kernel refused {good} of {} acts, with a record of each.", report.outcomes.len()))
}
