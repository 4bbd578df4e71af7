//! Measures single acts: one JSON line `{"operation": …, "instructions": …}` for each.
//!
//! The number is the median of virtual nanoseconds, which are instructions only under `scripts/vm --icount`.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use serde_json::json;
use vmtests::act::Operation;
use vmtests::measure::instructions;

/// Measures acts until two medians of 31 rounds agree within 0.5 % (spawn+exec: 2 %).
#[derive(Parser)]
struct Arguments {
    /// The act, again for each that is wanted; all that are possible when absent.
    #[arg(long = "operation", value_enum)]
    operations: Vec<Operation>,
    /// Another file for every act, of which nothing is known yet (open+close and chmod only).
    #[arg(long)]
    cold: bool,
    /// Do each act once and measure nothing.
    #[arg(long)]
    once: bool,
    /// The working directory, in which the files are made. Cold ones lie three levels deeper.
    #[arg(long, default_value = "/srv/bartizan/acts")]
    folder: PathBuf,
    /// The program that spawn+exec starts.
    #[arg(long, default_value = "/bin/true")]
    program: PathBuf,
}

fn main() -> Result<()> {
    let given = Arguments::parse();
    std::fs::create_dir_all(&given.folder)
        .and_then(|()| std::env::set_current_dir(&given.folder))
        .with_context(|| format!("acts: going to {}", given.folder.display()))?;
    let mut operations = given.operations.clone();
    if operations.is_empty() {
        operations.extend(Operation::value_variants().iter().filter(|one| !given.cold || one.can_be_cold()));
    }
    for operation in operations {
        let name = operation.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        perform(&given, operation, &name).with_context(|| format!("acts: {name}"))?;
    }
    Ok(())
}

fn perform(given: &Arguments, operation: Operation, name: &str) -> Result<()> {
    let mut act = operation.act(&given.program, given.cold)?;
    if given.once {
        act.prepare()?;
        return act.once();
    }
    let measured = instructions(&mut *act, operation.per_round(given.cold), operation.tolerance())?;
    println!("{}", json!({ "operation": name, "instructions": measured.round() as u64 }));
    Ok(())
}
