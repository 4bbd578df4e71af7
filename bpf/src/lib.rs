//! The kernel side of Bartizan and the only crate with `unsafe`: it loads the programs of `kern/`, writes revisions
//! into their maps, reads events out of their rings and reads back what the kernel really holds.
//!
//! Everything above this crate talks to the kernel through [`kernel::Kernel`], which a test can replace.

mod acting;
mod batch;
mod calls;
mod counts;
pub mod enforcement;
pub mod entries;
pub mod event;
mod gaps;
pub mod image;
mod inode;
pub mod kernel;
mod links;
pub mod load;
pub mod other_names;
mod own_objects;
pub mod paths;
pub mod pins;
pub mod process;
mod quiescence;
pub mod replay;
mod ring;
mod rings;
mod rounds;
pub mod skeleton;
pub mod stream;
mod succession;
pub mod support;
mod tables;
mod units;
mod wire;
