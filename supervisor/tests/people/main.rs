//! What people and programs see: the built `bartizan` and the API with real actors, over a socket, with a kernel that only
//! remembers what it is told.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod answers;
mod asking;
mod commands;
mod corpora;
// What the targets of cargo-fuzz go through.
#[path = "../../../fuzz/doors.rs"]
mod doors;
mod errors;
mod following;
mod impostor;
mod prometheus;
// The same kernel as in the tests of the actors, which use more of it.
#[allow(dead_code)]
#[path = "../../../actors/tests/together/remembering.rs"]
mod remembering;
mod said;
mod schema;
mod served;
mod terminal;
