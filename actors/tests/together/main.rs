//! Actors that work together, with a kernel that only remembers what it is told.
#![allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing)]

mod keeping;
mod learning;
mod locking;
mod losing;
mod remembering;
