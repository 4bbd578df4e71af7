//! Bartizan, `vmtests`: what the tests and benchmarks in virtual machines need in Rust.
#![forbid(unsafe_code)]

pub mod act;
pub mod files;
pub mod measure;
pub mod names;
pub mod pairs;
pub mod program;
pub mod refusal;
pub mod sockets;
