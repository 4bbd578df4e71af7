//! Opens for writing what is refused, over and over: one object by many processes, or as many objects as acts. Prints one JSON
//! line `{"refused": …, "otherwise": …}`.
#![forbid(unsafe_code)]

use std::ffi::CString;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Has files refused.
#[derive(Parser)]
struct Arguments {
    /// The file that is opened; with --distinct each act has a name of its own that begins with it.
    path: PathBuf,
    /// How many acts there are in all; a multiple of the processes.
    #[arg(long)]
    acts: u64,
    /// How many processes share them.
    #[arg(long, default_value_t = 1)]
    processes: u64,
    /// A name of its own for each act.
    #[arg(long)]
    distinct: bool,
    /// The number of the first name.
    #[arg(long, default_value_t = 0)]
    first: u64,
}

#[derive(Default, Serialize, Deserialize)]
struct Outcome {
    /// With EPERM.
    refused: u64,
    /// Opened, or another error.
    otherwise: u64,
}

fn main() -> Result<()> {
    let given = Arguments::parse();
    ensure!(
        given.processes > 0 && given.acts.is_multiple_of(given.processes),
        "flood: {} acts by {} processes",
        given.acts,
        given.processes
    );
    let outcome = if given.processes > 1 { shared(&given)? } else { alone(&given)? };
    println!("{}", json!(outcome));
    Ok(())
}

/// Each process takes its share.
fn shared(given: &Arguments) -> Result<Outcome> {
    let share = given.acts / given.processes;
    let own = std::env::current_exe().context("flood: finding itself")?;
    let mut children = Vec::new();
    for number in 0..given.processes {
        let mut command = Command::new(&own);
        command.arg(&given.path).args(["--acts", &share.to_string(), "--first", &(number * share).to_string()]);
        command.args(given.distinct.then_some("--distinct")).stdout(Stdio::piped());
        children.push(command.spawn().with_context(|| format!("flood: starting {}", own.display()))?);
    }
    let mut sum = Outcome::default();
    for child in children {
        let done = child.wait_with_output().context("flood: waiting for a process")?;
        let one: Outcome = serde_json::from_slice(&done.stdout).context("flood: reading what a process says")?;
        sum.refused += one.refused;
        sum.otherwise += one.otherwise;
    }
    Ok(sum)
}

fn alone(given: &Arguments) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let same = name(&given.path, None)?;
    for number in given.first..given.first + given.acts {
        let own = if given.distinct { Some(name(&given.path, Some(number))?) } else { None };
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_CLOEXEC;
        match open(own.as_deref().unwrap_or(&same), flags, Mode::S_IRUSR | Mode::S_IWUSR) {
            Err(Errno::EPERM) => outcome.refused += 1,
            _ => outcome.otherwise += 1,
        }
    }
    Ok(outcome)
}

fn name(path: &Path, number: Option<u64>) -> Result<CString> {
    let mut text = path.as_os_str().as_bytes().to_vec();
    if let Some(number) = number {
        write!(text, "{number}").context("flood: making a name")?;
    }
    CString::new(text).with_context(|| format!("flood: {} has a zero byte", path.display()))
}
