//! `bartizan audits verify`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use actors::trail::verify::{Report, verify};
use clap::Subcommand;

use super::client::Trouble;
use crate::{BAD_INPUT, CANNOT, FINDING, GOOD, paths};

#[derive(Subcommand)]
pub(super) enum AuditsCommand {
    /// Prove that no record was removed, changed, reordered or cut off (1: one was); needs no daemon
    Verify {
        /// The directory of the trail
        #[arg(default_value = paths::AUDIT)]
        path: PathBuf,
        /// Public keys that signed heads have to be by, from a copy of heads/public that nobody on this host can change
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

impl AuditsCommand {
    pub(super) fn run(&self) -> Result<u8, Trouble> {
        let AuditsCommand::Verify { path, key, json } = self;
        let report = verify(path, key.as_deref()).map_err(|error| {
            let status = if error.kind() == ErrorKind::NotFound { BAD_INPUT } else { CANNOT };
            let advice =
                if error.kind() == ErrorKind::PermissionDenied { ": only root may read the trail" } else { "" };
            Trouble::new(status, format!("{}: {error}{advice}", path.display()))
        })?;
        if *json {
            println!("{}", serde_json::to_string(&report).unwrap_or_default());
        } else {
            print(path, &report);
        }
        Ok(if report.findings.is_empty() { GOOD } else { FINDING })
    }
}

fn print(path: &Path, report: &Report) {
    for finding in &report.findings {
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        let id = finding.id.map(|id| format!(" record {id}:")).unwrap_or_default();
        println!("{}{line}:{id} {}", finding.file, finding.what);
    }
    report.notes.iter().for_each(|note| println!("note: {note}"));
    let Report { files, records, first, last, .. } = report;
    let span = match (first, last) {
        (Some(first), Some(last)) => format!("{records} records ({first} to {last}) in {files} files"),
        _ => "no record".to_owned(),
    };
    let signed = report.signed_up_to.map(|id| format!(", signed up to record {id}")).unwrap_or_default();
    match report.findings.len() {
        0 => println!("{}: the trail is whole: {span}{signed}", path.display()),
        number => println!("{}: the trail is NOT whole: {number} findings; {span}{signed}", path.display()),
    }
}
