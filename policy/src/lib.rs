//! Bartizan's policy: what capabilities are, what services may do, and what the kernel is told.
//!
//! This crate is pure. It reads no file of the host and asks nothing of the kernel: facts about the host come in as
//! [`host::HostFacts`], and what goes out is a [`compiled::Compiled`] that the `bpf` crate writes into maps.
#![forbid(unsafe_code)]

pub mod access;
pub mod attack;
pub mod baseline;
pub mod capability;
pub mod check;
pub mod compile;
pub mod compiled;
pub mod decide;
pub mod diff;
pub mod distribution;
pub mod evidence;
pub mod explain;
pub mod export;
pub mod host;
pub mod knowledge;
pub mod locate;
pub mod lockout;
pub mod matching;
pub mod maturity;
pub mod model;
pub mod operation;
pub mod outbound;
pub mod pattern;
pub mod place;
pub mod reason;
pub mod renumber;
pub mod rule;
pub mod selftest;
pub mod simulate;
pub mod slice;
pub mod syntax;
