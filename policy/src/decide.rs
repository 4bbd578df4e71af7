//! The decision, as a pure function. `bpf/kern/decide.bpf.h` is the same function in C; `bpf/tests/decide.rs` compares
//! the two on random inputs.

use crate::access::{Access, Masks};

/// What a service may do, as the kernel holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Capabilities that are in order.
    pub granted: Masks,
    /// Capabilities that are refused where they are not granted.
    pub prevent: Masks,
    /// Capabilities that are recorded where they are not granted.
    pub alert: Masks,
    /// Capabilities that are in order as well while the service starts.
    pub at_start: Masks,
    /// Whether the service is still learning.
    pub learning: bool,
}

/// What the kernel does with an act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verdict {
    /// Let it pass, tell nobody.
    #[default]
    Allow = 0,
    /// Let it pass and record it.
    Audit = 1,
    /// Refuse with EPERM and record it.
    Deny = 2,
}

/// A verdict and the capabilities that led to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What the kernel does.
    pub verdict: Verdict,
    /// The capabilities that the record names: the refused ones for `Deny`, the recorded ones for `Audit`.
    pub missing: u64,
    /// What a learning service did that its model does not have yet; nothing when the act is refused.
    pub observed: u64,
}

/// Decides whether `subject` may touch, by `access`, an object that needs `need`. `starting`: in the start of its unit.
pub fn decide(subject: &Subject, need: &Masks, access: Access, starting: bool) -> Decision {
    let at_start = if starting { subject.at_start.get(access) } else { 0 };
    let missing = need.get(access) & !(subject.granted.get(access) | at_start);
    let denied = missing & subject.prevent.get(access);
    if denied != 0 {
        return Decision { verdict: Verdict::Deny, missing: denied, observed: 0 };
    }
    let audited = missing & subject.alert.get(access);
    Decision {
        verdict: if audited != 0 { Verdict::Audit } else { Verdict::Allow },
        missing: audited,
        observed: if subject.learning { missing } else { 0 },
    }
}
