//! Bartizan's actors: who keeps what, who may change it, and what happens when one of them fails.
//!
//! Actors stay thin: one message, one handler. What they do is in plain types beside them ([`record`], [`tally`],
//! [`trail`], [`model_store`], [`revision_store`], [`assemble`]), which tests use without any actor.
#![forbid(unsafe_code)]

pub mod anomalies;
pub mod assemble;
pub mod atomic;
pub mod audit_log;
pub mod clock;
pub mod container;
pub mod deadline;
pub mod decisions;
pub mod deeds;
pub mod directory;
pub mod host;
pub mod import_journal;
pub mod kernel_link;
mod keyed;
pub mod learner;
pub mod messages;
pub mod model_store;
pub mod object;
pub mod on_loss;
pub mod permissive;
pub mod placement;
pub mod policy_keeper;
pub mod record;
pub mod redaction;
pub mod registry;
pub mod revision_store;
pub mod root;
pub mod rule_names;
pub mod selection;
pub mod sinks;
pub mod store;
pub mod systemd;
pub mod tally;
pub mod terms;
pub mod trail;
pub mod unit_watch;
pub mod units;
pub mod written;
