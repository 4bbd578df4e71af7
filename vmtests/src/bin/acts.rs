//! Measures single acts: one JSON line `{"operation": …, "instructions": …, "acts": …}` for each.
//!
//! The number is the median of virtual nanoseconds, which are instructions only under `scripts/vm --icount`.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use nix::sys::personality::{self, Persona};
use serde_json::{Value, json};
use vmtests::act::{Objects, Operation, Way};
use vmtests::measure::instructions;
use vmtests::pairs::{Paired, Switch, take};
use vmtests::refusal::files_of;

/// Measures acts until two medians of 31 rounds agree within 0.5 % (spawn+exec: 2 %).
#[derive(Parser)]
struct Arguments {
    /// The act, again for each that is wanted; all that are possible when absent.
    #[arg(long = "operation", value_enum)]
    operations: Vec<Operation>,
    /// What the acts find.
    #[arg(long, value_enum, default_value = "warm")]
    way: Way,
    /// Opening the files of --refused must be refused.
    #[arg(long)]
    refusing: bool,
    /// Do each act once and measure nothing.
    #[arg(long)]
    once: bool,
    /// Take this many pairs of one without and one with the programs that --switch detaches and attaches.
    #[arg(long, requires = "switch")]
    pairs: Option<usize>,
    /// The socket of the switch.
    #[arg(long)]
    switch: Option<PathBuf>,
    /// Two medians may differ by this (in per cent) rather than by what is usual for the act.
    #[arg(long)]
    tolerance: Option<f64>,
    /// The working directory, in which the files are made. Cold ones lie three levels deeper.
    #[arg(long, default_value = "/srv/bartizan/acts")]
    folder: PathBuf,
    /// The file of `open+close depth 2`.
    #[arg(long, default_value = "/srv/shallow")]
    shallow: PathBuf,
    /// The name of the listening socket of `unix connect`.
    #[arg(long, default_value = "/run/acts.sock")]
    socket: PathBuf,
    /// The program that `spawn+exec` starts.
    #[arg(long, default_value = "/bin/true")]
    program: PathBuf,
    /// The program that `spawn+exec static` starts.
    #[arg(long = "static", default_value = "/root/bench/nothing")]
    fixed: PathBuf,
    /// The folder of files that the ways of refusal open.
    #[arg(long, default_value = "/srv/refused")]
    refused: PathBuf,
}

fn main() -> Result<()> {
    let given = Arguments::parse();
    // How often a program faults pages in depends on where it lies: more than what is to be measured.
    personality::get()
        .and_then(|now| personality::set(now | Persona::ADDR_NO_RANDOMIZE))
        .context("acts: starting programs at fixed addresses")?;
    std::fs::create_dir_all(&given.folder)
        .and_then(|()| std::env::set_current_dir(&given.folder))
        .with_context(|| format!("acts: going to {}", given.folder.display()))?;
    let mut operations = given.operations.clone();
    if operations.is_empty() {
        operations.extend(Operation::value_variants().iter().filter(|one| one.can_be(given.way)));
    }
    if let (Some(count), Some(socket)) = (given.pairs, &given.switch) {
        return in_pairs(&given, &operations, count, socket);
    }
    for operation in operations {
        let mut row = perform(&given, operation).with_context(|| format!("acts: {}", name(operation)))?;
        if !given.once {
            row["operation"] = name(operation).into();
            println!("{row}");
        }
    }
    Ok(())
}

fn name(operation: Operation) -> String {
    operation.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

impl Arguments {
    fn objects(&self) -> Objects<'_> {
        Objects {
            shallow: &self.shallow,
            socket: &self.socket,
            program: &self.program,
            fixed: &self.fixed,
            refused: &self.refused,
            refusing: self.refusing,
        }
    }
}

/// Acts of a round between two switchings: these acts are long, and there are many rounds.
const MOST_IN_PAIRS: u32 = 8;

fn in_pairs(given: &Arguments, operations: &[Operation], count: usize, socket: &Path) -> Result<()> {
    let files = files_of(&given.refused)?;
    let forbidden = files.first().context("acts: there is no file to be refused")?;
    let ready = |operation: &Operation| -> Result<Paired> {
        let mut act = operation.act(&given.objects(), given.way)?;
        act.prepare()?;
        Ok(Paired { act, per_round: given.way.per_round(*operation).min(MOST_IN_PAIRS), pairs: Vec::new() })
    };
    let mut acts: Vec<Paired> = operations.iter().map(ready).collect::<Result<_>>()?;
    take(&mut acts, &mut Switch::new(socket)?, count, forbidden)?;
    for (operation, one) in operations.iter().zip(acts) {
        println!("{}", json!({ "operation": name(*operation), "pairs": one.pairs }));
    }
    Ok(())
}

fn perform(given: &Arguments, operation: Operation) -> Result<Value> {
    let mut act = operation.act(&given.objects(), given.way)?;
    if given.once {
        act.prepare()?;
        return act.once().map(|()| json!({}));
    }
    let tolerance = given.tolerance.map_or(operation.tolerance(), |percent| percent / 100.0);
    let measured = instructions(&mut *act, given.way.per_round(operation), tolerance)?;
    Ok(json!({ "instructions": measured.each.round() as u64, "acts": measured.acts }))
}
