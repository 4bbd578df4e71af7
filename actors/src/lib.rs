//! Bartizan, `actors`.
#![forbid(unsafe_code)]
