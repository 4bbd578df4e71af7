//! Bartizan, `vmtests`.
#![forbid(unsafe_code)]
