//! The daemon `bartizand`, its API, and the command line `bartizan`.
#![forbid(unsafe_code)]

pub mod api;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod doctor;
pub mod early;
pub mod logging;
pub mod moment;
pub mod mounts;
pub mod nearest;
pub mod paths;
mod selftest;
pub mod slices;
pub mod start;
pub mod switch;

/// All went well.
pub const GOOD: u8 = 0;
/// There is something to look at: a violation, a difference, a refusal.
pub const FINDING: u8 = 1;
/// The command line or an input is wrong.
pub const BAD_INPUT: u8 = 2;
/// The system cannot do it, or the daemon does not run.
pub const CANNOT: u8 = 3;
