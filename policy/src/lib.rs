//! Bartizan, `policy`.
#![forbid(unsafe_code)]
