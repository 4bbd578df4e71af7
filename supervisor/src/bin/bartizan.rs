//! The command line.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = supervisor::cli::Arguments::parse();
    ExitCode::from(supervisor::cli::run(&arguments))
}
