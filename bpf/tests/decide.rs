//! The kernel's `decide` against the reference, on random inputs: needs root, no virtual machine and no hook.
//!
//! Ignored by a plain `cargo test`, which is unprivileged; scripts/test runs it.

#![allow(clippy::expect_used)] // a test that cannot load its program has failed

use std::mem::MaybeUninit;

use bpf::skeleton::decide_test::{DecideTestSkelBuilder, types::bz_call_decide};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{ProgramInput, ProgramMut};
use policy::access::{Access, Masks};
use policy::decide::{Subject, decide};
use rand::{Rng, SeedableRng, rngs::StdRng};

const CASES: u32 = 200_000;

/// Sparse masks meet rarely and dense ones always: mixed, every branch is taken often.
fn mask(rng: &mut StdRng) -> [u64; Access::COUNT] {
    let density = rng.random_range(0..4);
    std::array::from_fn(|_| (0..density).fold(u64::MAX, |mask, _| mask & rng.random::<u64>()))
}

fn kernel(program: &ProgramMut, subject: &Subject, need: &Masks, access: Access, starting: bool) -> (u32, u64, u64) {
    let mut call = bz_call_decide::default();
    call.policy.granted = subject.granted.0;
    call.policy.prevent = subject.prevent.0;
    call.policy.alert = subject.alert.0;
    call.policy.at_start = subject.at_start.0;
    call.starting = u32::from(starting);
    call.policy.flags = if subject.learning { 2 } else { 0 };
    call.label.need = need.0;
    call.access = access as u32;
    // SAFETY: the type is plain old data generated from BTF, and the slice covers exactly the value it borrows.
    let bytes = unsafe {
        std::slice::from_raw_parts_mut(std::ptr::from_mut(&mut call).cast::<u8>(), size_of::<bz_call_decide>())
    };
    program
        .test_run(ProgramInput { context_in: Some(bytes), ..ProgramInput::default() })
        .expect("the syscall program runs");
    // The kernel writes the context back into the same buffer.
    (call.verdict, call.missing, call.observed)
}

#[test]
#[ignore = "loads a BPF program, which needs root"]
fn the_kernel_decides_like_the_reference() {
    let mut storage = MaybeUninit::uninit();
    let open = DecideTestSkelBuilder::default().open(&mut storage).expect("opens");
    let skeleton = open.load().expect("loads: is this run as root?");
    let mut rng = StdRng::seed_from_u64(0x00b1_1250);
    let mut verdicts = [0u32; 3];
    for case in 0..CASES {
        let subject = Subject {
            granted: Masks(mask(&mut rng)),
            prevent: Masks(mask(&mut rng)),
            alert: Masks(mask(&mut rng)),
            at_start: Masks(mask(&mut rng)),
            learning: rng.random(),
        };
        let need = Masks(mask(&mut rng));
        let access = Access::ALL[rng.random_range(0..Access::COUNT)];
        let starting = rng.random();
        let expected = decide(&subject, &need, access, starting);
        let got = kernel(&skeleton.progs.call_decide, &subject, &need, access, starting);
        assert_eq!(
            got,
            (expected.verdict as u32, expected.missing, expected.observed),
            "case {case}: {subject:?} {need:?} {access:?} {starting}"
        );
        verdicts[expected.verdict as usize] += 1;
    }
    println!("{CASES} cases: {} allowed, {} audited, {} denied", verdicts[0], verdicts[1], verdicts[2]);
    assert!(verdicts.iter().all(|count| *count > CASES / 100), "every verdict must be common: {verdicts:?}");
}
