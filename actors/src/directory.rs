//! Where each actor is now: a rebuilt actor has another address, so nobody keeps one.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use actix::prelude::*;
use compact_str::CompactString;
use policy::capability::{Bits, names_of};

use crate::audit_log::AuditLog;
use crate::decisions::Decisions;
use crate::kernel_link::KernelLink;
use crate::learner::Learner;
use crate::messages::Tell;
use crate::on_loss::Holds;
use crate::policy_keeper::PolicyKeeper;
use crate::record::Kind;
use crate::registry::Registry;
use crate::root::Root;

/// The addresses.
#[derive(Default)]
struct Addresses {
    root: Option<Addr<Root>>,
    kernel: Option<Addr<KernelLink>>,
    registry: Option<Addr<Registry>>,
    keeper: Option<Addr<PolicyKeeper>>,
    audit: Option<Addr<AuditLog>>,
    learners: BTreeMap<String, Addr<Learner>>,
    bits: Bits,
    decisions: Decisions,
    holds: Holds,
}

/// A shared list of addresses.
#[derive(Clone, Default)]
pub struct Directory(Arc<RwLock<Addresses>>);

macro_rules! entry {
    ($field:ident, $set:ident, $actor:ty, $text:literal) => {
        #[doc = concat!("Address of ", $text, ", if it has started.")]
        pub fn $field(&self) -> Option<Addr<$actor>> {
            self.0.read().unwrap_or_else(PoisonError::into_inner).$field.clone()
        }

        #[doc = concat!("Enters ", $text, ".")]
        pub fn $set(&self, address: Addr<$actor>) {
            self.0.write().unwrap_or_else(PoisonError::into_inner).$field = Some(address);
        }
    };
}

impl Directory {
    entry!(root, set_root, Root, "the root");
    entry!(kernel, set_kernel, KernelLink, "the kernel link");
    entry!(registry, set_registry, Registry, "the registry");
    entry!(keeper, set_keeper, PolicyKeeper, "the policy keeper");
    entry!(audit, set_audit, AuditLog, "the audit log");

    /// Bits of the capabilities that operators have added, now or once.
    pub fn bits(&self) -> Bits {
        self.0.read().unwrap_or_else(PoisonError::into_inner).bits.clone()
    }

    /// Enters them, before the kernel uses them.
    pub fn set_bits(&self, bits: Bits) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).bits = bits;
    }

    /// The names in a mask that the kernel told.
    pub fn capabilities(&self, mask: u64) -> Vec<CompactString> {
        let mut names = Vec::with_capacity(usize::try_from(mask.count_ones()).unwrap_or_default());
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.extend(names_of(mask, &known.bits).map(CompactString::from));
        names
    }

    /// What the kernel decided since the start, for whoever counts it.
    pub fn decisions(&self) -> Decisions {
        self.0.read().unwrap_or_else(PoisonError::into_inner).decisions.clone()
    }

    /// Who is held as evidence was lost.
    pub fn holds(&self) -> Holds {
        self.0.read().unwrap_or_else(PoisonError::into_inner).holds.clone()
    }

    /// Address of a service's learner.
    pub fn learner(&self, service: &str) -> Option<Addr<Learner>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).learners.get(service).cloned()
    }

    /// Every learner.
    pub fn learners(&self) -> BTreeMap<String, Addr<Learner>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).learners.clone()
    }

    /// Enters a service's learner.
    pub fn set_learner(&self, service: &str, address: Addr<Learner>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).learners.insert(service.to_owned(), address);
    }

    /// Takes a learner out, if it is still this one.
    pub fn remove_learner(&self, service: &str, address: &Addr<Learner>) {
        let learners = &mut self.0.write().unwrap_or_else(PoisonError::into_inner).learners;
        if learners.get(service) == Some(address) {
            learners.remove(service);
        }
    }

    /// Puts a sentence into the audit trail. When the audit log cannot take it, it is at least in the journal.
    pub fn tell(&self, kind: Kind, service: Option<&str>, message: String) {
        let tell = Tell { kind, service: service.map(str::to_owned), message };
        match self.audit() {
            Some(audit) => {
                if let Err(error) = audit.try_send(tell) {
                    tracing::error!("an audit record was lost ({error})");
                }
            }
            None => tracing::error!("before the audit log started: {}", tell.message),
        }
    }
}
