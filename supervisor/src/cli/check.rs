//! `bartizan policy check`.

use std::path::Path;

use actors::clock::now_ms;
use actors::revision_store::PolicyFile;
use actors::{assemble, host, units};
use policy::capability::Bits;
use policy::check::{self, Finding, Weight};
use policy::rule::Policy;
use serde::Serialize;

use super::client::Trouble;
use super::line::{Line, Paint, legible};
use super::revisions::files;
use super::screen::Screen;
use super::tell_of;
use super::waiting::Waiting;
use crate::{BAD_INPUT, FINDING, GOOD};

/// What a check found.
#[derive(Serialize)]
struct Report {
    files: usize,
    rules: usize,
    /// What keeps the files from being applied, one line each with its place.
    problems: Vec<String>,
    findings: Vec<Told>,
}

/// A finding, as JSON has it.
#[derive(Serialize)]
pub(super) struct Told {
    file: String,
    line: usize,
    column: usize,
    /// `finding`: something is in vain; `note`: on this host, at least.
    weight: &'static str,
    rule: String,
    message: String,
}

/// The same findings for programs.
pub(super) fn told(found: &[Finding]) -> Vec<Told> {
    found
        .iter()
        .map(|one| Told {
            file: one.place.file.clone(),
            line: one.place.line,
            column: one.place.column,
            weight: if one.weight == Weight::Finding { "finding" } else { "note" },
            rule: one.rule.clone(),
            message: one.message.clone(),
        })
        .collect()
}

/// Says what is wrong, and what is in vain. With `strict`, findings are the exit status.
pub(super) fn check(path: &Path, strict: bool, json: bool) -> Result<u8, Trouble> {
    let files = files(path)?;
    let waiting = Waiting::until("checking the rules");
    let policy = match assemble::policy(&files, &Bits::new()) {
        Ok(policy) => policy,
        Err(problems) => {
            drop(waiting);
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            problems.iter().for_each(|problem| eprintln!("{}", legible(problem)));
            let report = Report { files: files.len(), rules: 0, problems, findings: Vec::new() };
            tell_of(json, &report, |_| Ok(()))?;
            return Ok(BAD_INPUT);
        }
    };
    let found = of(&policy);
    drop(waiting);
    let findings = found.iter().filter(|one| one.weight == Weight::Finding).count();
    let report = Report { files: files.len(), rules: policy.rules.len(), problems: Vec::new(), findings: told(&found) };
    tell_of(json, &report, |screen| {
        print(screen, &found)?;
        let counts = format!("{} files, {} rules", files.len(), policy.rules.len());
        screen.line(match findings {
            0 => Line::from(format!("{counts}: ")).then(Paint::Good, "good"),
            _ => Line::from(format!("{counts}: they may be applied, with {findings} findings")),
        })
    })?;
    Ok(if strict && findings > 0 { FINDING } else { GOOD })
}

/// What is in vain in files that the daemon has taken.
pub(super) fn findings(files: &[PolicyFile]) -> Vec<Finding> {
    assemble::policy(files, &Bits::new()).map(|policy| of(&policy)).unwrap_or_default()
}

fn of(policy: &Policy) -> Vec<Finding> {
    check::findings(policy, now_ms(), &host::name(), units::units().as_ref())
}

pub(super) fn print(screen: &mut Screen, found: &[Finding]) -> Result<(), Trouble> {
    found.iter().try_for_each(|one| screen.line(Line::from(one.to_string()).hang(4)))
}
