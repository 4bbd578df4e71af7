//! `bartizan audits verify`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use actors::trail::verify::{Report, verify_showing};
use clap::Subcommand;

use super::client::Trouble;
use super::examples;
use super::screen::Screen;
use super::waiting::Waiting;
use crate::{BAD_INPUT, CANNOT, FINDING, GOOD, paths};

#[derive(Subcommand)]
pub(super) enum AuditsCommand {
    /// Prove that no record was removed, changed, reordered or cut off
    ///
    /// Needs no daemon. Ends with 1 if one was.
    #[command(after_help = examples::AUDITS_VERIFY)]
    Verify {
        /// The directory of the trail
        #[arg(default_value = paths::AUDIT)]
        path: PathBuf,
        /// Public keys that signed heads have to be by, from a copy of heads/public that nobody on this host can change
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
}

impl AuditsCommand {
    pub(super) fn run(&self, json: bool) -> Result<u8, Trouble> {
        let AuditsCommand::Verify { path, key } = self;
        let waiting = Waiting::steps("verifying, files", 0);
        let verified = verify_showing(path, key.as_deref(), &mut |done, of| waiting.at(done, of));
        drop(waiting);
        let report = verified.map_err(|error| {
            let status = if error.kind() == ErrorKind::NotFound { BAD_INPUT } else { CANNOT };
            let advice =
                if error.kind() == ErrorKind::PermissionDenied { ": only root may read the trail" } else { "" };
            Trouble::new(status, format!("{}: {error}{advice}", path.display()))
        })?;
        let mut screen = Screen::new();
        if json {
            let text = serde_json::to_string(&report).map_err(|error| Trouble::new(CANNOT, error.to_string()))?;
            screen.json(&text)?;
        } else {
            print(&mut screen, path, &report)?;
        }
        screen.finish()?;
        Ok(if report.findings.is_empty() { GOOD } else { FINDING })
    }
}

fn print(screen: &mut Screen, path: &Path, report: &Report) -> Result<(), Trouble> {
    for finding in &report.findings {
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        let id = finding.id.map(|id| format!(" record {id}:")).unwrap_or_default();
        screen.line(format!("{}{line}:{id} {}", finding.file, finding.what))?;
    }
    for note in &report.notes {
        screen.line(format!("note: {note}"))?;
    }
    let Report { files, records, first, last, .. } = report;
    let span = match (first, last) {
        (Some(first), Some(last)) => format!("{records} records ({first} to {last}) in {files} files"),
        _ => "no record".to_owned(),
    };
    let signed = report.signed_up_to.map(|id| format!(", signed up to record {id}")).unwrap_or_default();
    let path = path.display();
    screen.line(match report.findings.len() {
        0 => format!("{path}: the trail is whole: {span}{signed}"),
        number => format!("{path}: the trail is NOT whole: {number} findings; {span}{signed}"),
    })
}
