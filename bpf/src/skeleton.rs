//! What libbpf-cargo generates from `kern/`: the objects, and the types of `wire.h` from their BTF.
#![allow(clippy::all, clippy::pedantic, clippy::undocumented_unsafe_blocks, missing_docs, unreachable_pub, dead_code)]

/// The hooks.
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
pub mod bartizan {
    include!(concat!(env!("OUT_DIR"), "/bartizan.skel.rs"));
}

/// `decide` alone, for the comparison with the reference.
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
pub mod decide_test {
    include!(concat!(env!("OUT_DIR"), "/decide_test.skel.rs"));
}
