//! Bartizan, `supervisor`.
#![forbid(unsafe_code)]
