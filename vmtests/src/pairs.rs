//! Pairs of measurements, with and without what is being judged, taken in turn.
//!
//! Starting a program costs a million instructions and varies by more than what a hook adds to it, and so do a few other
//! acts. What changes slowly is the same on both sides of a pair, so the differences of pairs vary less.

use std::ffi::CStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::act::Act;
use crate::measure::{median, round};

/// Rounds after each switching that are not measured, and those whose median is.
const UNMEASURED: usize = 3;
const MEASURED: usize = 63;

/// The process that attaches and detaches programs: `bpf/examples/switch.rs`.
pub struct Switch {
    asks: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Switch {
    /// Connects to it.
    pub fn new(socket: &Path) -> Result<Self> {
        let asks = UnixStream::connect(socket).with_context(|| format!("connecting to {}", socket.display()))?;
        let answers = BufReader::new(asks.try_clone()?);
        Ok(Switch { asks, answers })
    }

    /// Returns when it is done.
    pub fn turn(&mut self, to: &str) -> Result<()> {
        let mut answer = String::new();
        writeln!(self.asks, "{to}").and_then(|()| self.answers.read_line(&mut answer).map(drop))?;
        ensure!(answer.trim() == to, "switching {to}: {}", answer.trim());
        Ok(())
    }
}

/// An act and what pairs gave for it.
pub struct Paired {
    /// The act, prepared.
    pub act: Box<dyn Act>,
    /// How often a round repeats it.
    pub per_round: u32,
    /// Instructions for one act, `[off, on]`.
    pub pairs: Vec<[f64; 2]>,
}

/// Takes pairs for all acts at once, as switching takes longer than the acts. Every second pair begins with the other
/// side. Each time `forbidden` is opened for writing, which must be refused if and only if the programs are attached.
pub fn take(acts: &mut [Paired], switch: &mut Switch, count: usize, forbidden: &CStr) -> Result<()> {
    for number in 0..count {
        acts.iter_mut().for_each(|one| one.pairs.push([0.0; 2]));
        for side in if number % 2 == 0 { [0, 1] } else { [1, 0] } {
            switch.turn(["off", "on"][side])?;
            prove(forbidden, side == 1)?;
            for one in acts.iter_mut() {
                let value = one_side(&mut *one.act, one.per_round)?;
                if let Some(pair) = one.pairs.last_mut() {
                    pair[side] = value;
                }
            }
        }
    }
    Ok(())
}

fn prove(forbidden: &CStr, refusing: bool) -> Result<()> {
    let found = open(forbidden, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty());
    let refused = matches!(found, Err(Errno::EPERM));
    ensure!(refused == refusing && (refused || found.is_ok()), "refused: {refused}, but should be: {refusing}");
    Ok(())
}

fn one_side(act: &mut dyn Act, per_round: u32) -> Result<f64> {
    for _ in 0..UNMEASURED {
        round(act, per_round)?;
    }
    let measured: Result<Vec<f64>> = (0..MEASURED).map(|_| round(act, per_round)).collect();
    Ok(median(measured?))
}
