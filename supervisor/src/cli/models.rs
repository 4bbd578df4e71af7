//! `bartizan model`: what models know, from host to host.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use actors::atomic;
use clap::Subcommand;
use hyper::Method;
use policy::export::Export;

use super::client::{Trouble, ask, encode};
use super::revisions::parsed;
use super::screen::Screen;
use super::{examples, tell, tell_of};
use crate::api::Imported;
use crate::{BAD_INPUT, CANNOT, FINDING, GOOD};

/// `bartizan model …`.
#[derive(Subcommand)]
pub(super) enum ModelCommand {
    /// What the models of services know, as JSON: grants, programs and evidence, not where they stand
    #[command(after_help = examples::MODEL_EXPORT)]
    Export {
        /// The service
        #[arg(required_unless_present = "all")]
        service: Option<String>,
        /// A new file, or one to be replaced; without it the export is printed
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Every service: the one argument is then the file
        #[arg(long)]
        all: bool,
    },
    /// Join what an export knows into this host's models, whole or not at all; no rule is overridden by it
    #[command(after_help = examples::MODEL_IMPORT)]
    Import {
        /// The export; - reads it from the standard input
        file: PathBuf,
    },
    /// Print the join of two exports (needs no daemon)
    #[command(after_help = examples::MODEL_MERGE)]
    Merge {
        /// An export
        first: PathBuf,
        /// Another one
        second: PathBuf,
    },
    /// What the second export knows and the first does not, and the other way round (needs no daemon)
    ///
    /// Ends with 1 if that is something.
    #[command(after_help = examples::MODEL_DIFF)]
    Diff {
        /// An export
        first: PathBuf,
        /// Another one
        second: PathBuf,
    },
}

impl ModelCommand {
    pub(super) fn run(&self, json: bool) -> Result<u8, Trouble> {
        match self {
            ModelCommand::Export { service, file: Some(_), all: true } => {
                let given = service.as_deref().unwrap_or_default();
                let line = format!("expected `model export SERVICE [FILE]` or `model export --all [FILE]`: {given:?}");
                Err(Trouble::new(BAD_INPUT, line))
            }
            ModelCommand::Export { service, all: true, .. } => export(None, service.as_ref().map(Path::new)),
            ModelCommand::Export { service, file, .. } => export(service.as_deref(), file.as_deref()),
            ModelCommand::Import { file } => import(file, json),
            ModelCommand::Merge { first, second } => merge(first, second),
            ModelCommand::Diff { first, second } => diff(first, second, json),
        }
    }
}

fn export(service: Option<&str>, file: Option<&Path>) -> Result<u8, Trouble> {
    let of = service.map(|name| format!("?service={}", encode(name))).unwrap_or_default();
    let text = ask(Method::GET, &format!("/v1/models{of}"), None)?.text;
    let Some(file) = file else { return print(&text) };
    let told = |error| Trouble::new(CANNOT, format!("{}: {error}", file.display()));
    atomic::write(&std::path::absolute(file).map_err(told)?, text.as_bytes()).map_err(told)?;
    Ok(GOOD)
}

/// An export is JSON, for whomever.
fn print(text: &str) -> Result<u8, Trouble> {
    let mut screen = Screen::new();
    screen.json(text)?;
    screen.finish()?;
    Ok(GOOD)
}

fn text(file: &Path) -> Result<String, Trouble> {
    let read = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    read.map_err(|error| Trouble::new(BAD_INPUT, format!("{}: {error}", file.display())))
}

fn read(file: &Path) -> Result<Export, Trouble> {
    Export::parse(&text(file)?).map_err(|error| wrong(file, &error))
}

fn wrong(file: &Path, error: &str) -> Trouble {
    Trouble::new(BAD_INPUT, format!("{}: {error}", file.display()))
}

fn import(file: &Path, json: bool) -> Result<u8, Trouble> {
    // Read here as well, so that what is wrong with it is told by the name of the file.
    let export = read(file)?.text().map_err(|error| Trouble::new(CANNOT, error))?;
    let answer = ask(Method::POST, "/v1/models/import", Some(export.into_bytes()))?;
    let Imported { gained } = parsed(&answer.text)?;
    tell(json, &answer.text, |screen| {
        gained.iter().try_for_each(|line| screen.line(line))?;
        screen.line(format!("imported: {} gains, and the kernel holds them", gained.len()))
    })?;
    Ok(GOOD)
}

fn merge(first: &Path, second: &Path) -> Result<u8, Trouble> {
    let mut joined = read(first)?;
    joined.join(&read(second)?).map_err(|error| wrong(second, &format!("joined with {}: {error}", first.display())))?;
    print(&joined.text().map_err(|error| Trouble::new(CANNOT, error))?)
}

fn diff(first: &Path, second: &Path, json: bool) -> Result<u8, Trouble> {
    let found = read(first)?.differences(&read(second)?);
    tell_of(json, &found, |screen| {
        found.iter().try_for_each(|one| {
            let word = if one.gained { "gains" } else { "loses" };
            screen.line(format!("{} {word} {}", one.service, one.what))
        })
    })?;
    Ok(if found.is_empty() { GOOD } else { FINDING })
}
