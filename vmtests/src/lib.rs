//! Bartizan, `vmtests`: what the tests and benchmarks in virtual machines need in Rust.
#![forbid(unsafe_code)]

pub mod act;
pub mod measure;
