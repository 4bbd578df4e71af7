//! The command line.

mod audits;
mod check;
mod client;
mod commands;
mod examples;
mod explain;
mod line;
mod manual;
mod model_table;
mod models;
pub mod policy_files;
mod resolve;
mod revisions;
mod screen;
mod services;
mod simulate;
mod status;
mod suggest;
mod switching;
mod verify;
mod waiting;

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser as _};
use serde::Serialize;

pub(crate) use crate::api::Status;
use crate::{BAD_INPUT, CANNOT, GOOD, doctor, selftest};
pub(crate) use client::Trouble;
use client::{Answer, ask};
pub use commands::Arguments;
use commands::Command;
use hyper::Method;
pub(crate) use line::{Line, Paint};
pub(crate) use screen::Screen;
pub(crate) use waiting::Waiting;

/// Reads the words of a command line and does what they say; the number is the exit status.
pub fn main(words: impl IntoIterator<Item = OsString>) -> u8 {
    match Arguments::try_parse_from(words) {
        Ok(arguments) => run(&arguments),
        Err(error) => {
            let text = error.render().to_string();
            let odd = |letter: char| letter != '\n' && letter != '\t' && letter.is_control();
            if error.use_stderr() && text.contains(odd) {
                // It repeats what was given, and that may come from names of files.
                text.lines().for_each(|line| eprintln!("{}", line::legible(line)));
            } else {
                // Nobody is left to be told of an output that is closed.
                let _ = error.print();
            }
            if error.use_stderr() { BAD_INPUT } else { GOOD }
        }
    }
}

/// Runs a command; the number is the exit status.
fn run(arguments: &Arguments) -> u8 {
    match outcome(&arguments.command, arguments.json) {
        Ok(status) => status,
        Err(trouble) => {
            trouble.lines.iter().for_each(|line| eprintln!("bartizan: {}", line::legible(line)));
            trouble.status
        }
    }
}

fn outcome(command: &Command, json: bool) -> Result<u8, Trouble> {
    match command {
        Command::Status => status::status(json),
        Command::Attest => status::attest(json),
        Command::Services => services::services(json),
        Command::Show { service } => services::show(service, json),
        Command::Activate { service } => services::enter(service, "activate", json),
        Command::Learn { service, manual: true } => services::enter(service, "manual", json),
        Command::Learn { service, manual: false } => services::enter(service, "learn", json),
        Command::Model(command) => command.run(json),
        Command::Relearn { service } => services::enter(service, "relearn", json),
        Command::Policy(command) => command.run(json),
        Command::Explain { service, access, object } => explain::explain(service, access, object, json),
        Command::Simulate { policy, since } => simulate::simulate(policy, since.as_deref(), json),
        Command::Permissive { service, time, end } => services::permissive(service, time.as_deref(), *end, json),
        Command::Audits(arguments) => arguments.run(json),
        Command::Off { until_reboot } => switching::off(*until_reboot, json),
        Command::On => switching::on(json),
        Command::Selftest => selftest::run(json),
        Command::SelftestAct { group, target, hooks } => Ok(selftest::act(group, *target, hooks)),
        Command::Doctor => doctor::run(json),
        Command::Completions { shell } => manual::print(*shell),
        Command::Manual { directory } => manual::write(directory),
    }
}

/// The definitions, for whoever makes documents of them.
pub fn definitions() -> clap::Command {
    Arguments::command()
}

fn get<T: serde::de::DeserializeOwned>(path: &str) -> Result<(T, String), Trouble> {
    let Answer { text } = ask(Method::GET, path, None)?;
    Ok((revisions::parsed(&text)?, text))
}

/// Prints an answer: as it is with `json`, otherwise as `people` puts it.
fn tell(json: bool, text: &str, people: impl FnOnce(&mut Screen) -> Result<(), Trouble>) -> Result<(), Trouble> {
    let mut screen = Screen::new();
    if json {
        screen.json(text)?
    } else {
        people(&mut screen)?
    }
    screen.finish()
}

/// The same of an answer that is made here.
pub(crate) fn tell_of(
    json: bool,
    answer: &impl Serialize,
    people: impl FnOnce(&mut Screen) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let text = serde_json::to_string(answer).map_err(|error| Trouble::new(CANNOT, error.to_string()))?;
    tell(json, &text, people)
}

/// What the daemon says about enforcement.
pub(crate) fn daemon_status() -> Result<Status, Trouble> {
    get("/v1/status").map(|(status, _)| status)
}

/// Every record of a service after an id.
pub(crate) fn records_of(service: &str, after: u64) -> Result<Vec<actors::record::Record>, Trouble> {
    get(&format!("/v1/audits?after={after}&service={}", client::encode(service))).map(|(records, _)| records)
}
