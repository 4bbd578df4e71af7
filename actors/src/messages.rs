//! Every message between actors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use bpf::event::{Act, Event, Flood, Repeat};
use bpf::kernel::{Installation, Map, ReadBack, SeenService};
use bpf::other_names::OtherNames;
use bpf::process::Process;
use policy::access::Access;
use policy::compile::ServiceModel;
use policy::compiled::{Compiled, Service};
use policy::diff::Difference;
use policy::export::Export;
use policy::knowledge::Knowledge;
use policy::maturity::{Maturity, Unit};
use policy::model::{Model, State};
use policy::reason::Reason;
use policy::simulate::{Deed, Refused as WouldRefuse};
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Record};
use crate::revision_store::{Head, PolicyFile, Revision};

/// To [`crate::root::Root`]: a child is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Exited {
    /// The child's name.
    pub name: String,
    /// Whether it panicked.
    pub panicking: bool,
}

/// To [`crate::root::Root`]: the daemon ends, so children that end from now on are not built anew.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Retire;

/// To [`crate::root::Root`]: keep this child running.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Supervise(pub crate::root::Child);

/// To [`crate::kernel_link::KernelLink`]: make this revision count. Answers when the kernel holds it, read back.
#[derive(Debug, Message)]
#[rtype(result = "Result<Installation, String>")]
pub struct Install(pub Box<Compiled>);

/// To [`crate::kernel_link::KernelLink`]: one service of the revision in force has new grants.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Learned {
    /// Name.
    pub name: String,
    /// What the kernel is to hold.
    pub service: Box<Service>,
}

/// To [`crate::kernel_link::KernelLink`]: services that have a number in the kernel.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<SeenService>, String>")]
pub struct Services;

/// To [`crate::kernel_link::KernelLink`]: the service that a process is labelled with.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<String>, String>")]
pub struct ServiceOf(pub Arc<Process>);

/// To [`crate::kernel_link::KernelLink`]: what a file needs by its other names.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<OtherNames>, String>")]
pub struct NamesOf {
    /// The file, without symlinks.
    pub path: PathBuf,
    /// How it would be touched.
    pub access: Access,
    /// What that needs by this name.
    pub known: u64,
}

/// To [`crate::kernel_link::KernelLink`]: what the kernel really holds, compared, and what was lost.
#[derive(Debug, Message)]
#[rtype(result = "Result<Held, String>")]
pub struct ReadBackNow;

/// Answer to [`ReadBackNow`].
#[derive(Debug, Default)]
pub struct Held {
    /// The comparison.
    pub read_back: ReadBack,
    /// Losses by kind.
    pub loss: BTreeMap<String, u64>,
    /// Whether enforcement was ended by [`Detach`].
    pub off: bool,
}

/// To [`crate::kernel_link::KernelLink`]: the same, with what every map of the revision holds.
#[derive(Debug, Message)]
#[rtype(result = "Result<(Held, Vec<Map>), String>")]
pub struct Attest;

/// To [`crate::kernel_link::KernelLink`]: end enforcement. Answers when no hook runs any more; this link does nothing
/// from then on.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Detach;

/// To [`crate::registry::Registry`]: the kernel told something about a service.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Told(pub Event);

/// To [`crate::registry::Registry`]: a service may have started.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Look;

/// To [`crate::policy_keeper::PolicyKeeper`]: the slices of services that run, without `.slice`.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Placed(pub BTreeMap<String, String>);

/// To [`crate::policy_keeper::PolicyKeeper`]: services that are not made active, and why.
#[derive(Debug, Message)]
#[rtype(result = "BTreeMap<String, String>")]
pub struct ShowHeldBack;

/// To [`crate::registry::Registry`]: whom shall I ask about this service?
#[derive(Debug, Message)]
#[rtype(result = "Option<Addr<crate::learner::Learner>>")]
pub struct Find(pub String);

/// To [`crate::registry::Registry`]: every model, as its learner holds it.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Model>")]
pub struct Models;

/// To a [`crate::learner::Learner`]: the service did something that its model may lack. An error says why it has to be given
/// again.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Observed(pub Box<Act>);

/// To a [`crate::learner::Learner`]: programs that the service runs already.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Running(pub BTreeSet<String>);

/// To a [`crate::learner::Learner`]: change the state. Answers when the kernel holds the change.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Enter {
    /// The state.
    pub state: State,
    /// Who asked.
    pub by: String,
}

/// To a [`crate::learner::Learner`]: its state.
#[derive(Debug, Message)]
#[rtype(result = "State")]
pub struct ShowState;

/// To a [`crate::learner::Learner`]: how far it has come.
#[derive(Debug, Message)]
#[rtype(result = "Maturity")]
pub struct ShowMaturity;

/// To a [`crate::learner::Learner`]: what the kernel and systemd say about its units.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct UnitNow {
    /// Whether the service has a cgroup.
    pub running: bool,
    /// Whether it ran before the programs were loaded.
    pub earlier: bool,
    /// Its units; nothing where systemd was not asked or did not answer.
    pub units: Option<Vec<Unit>>,
    /// Whether it was found that it has a unit file, though none of its units is loaded.
    pub file: bool,
}

/// To a [`crate::learner::Learner`]: what other hosts know of the service. Answers with what was new, when the kernel
/// holds it.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<String>, String>")]
pub struct Join {
    /// What they know.
    pub known: Box<Knowledge>,
    /// Who asked.
    pub by: String,
}

/// To [`crate::registry::Registry`]: what other hosts know, whole or not at all. Answers with what was new in words.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<String>, NotImported>")]
pub struct Import {
    /// What they know.
    pub export: Box<Export>,
    /// Who asked.
    pub by: String,
}

/// Why an [`Import`] has no good answer; one line per problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotImported {
    /// The export does not fit this host. Nothing has changed.
    Wrong(Vec<String>),
    /// Nothing is wrong with the export; the last line says whether it counts.
    Failed(Vec<String>),
}

/// To a [`crate::learner::Learner`]: the model as it is now.
#[derive(Debug, Message)]
#[rtype(result = "Model")]
pub struct Show;

/// To [`crate::policy_keeper::PolicyKeeper`]: a model is new or has changed. Answers when the kernel holds it.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct ModelChanged(pub ServiceModel);

/// To [`crate::policy_keeper::PolicyKeeper`]: which of these services, never seen before, are to be told, as all others on this
/// host are active; each with the rule that says so.
#[derive(Debug, Message)]
#[rtype(result = "Vec<(String, Option<String>)>")]
pub struct Newcomers {
    /// The services.
    pub seen: BTreeSet<String>,
    /// Services that were told so before: they need not be active.
    pub late: BTreeSet<String>,
}

/// To [`crate::policy_keeper::PolicyKeeper`]: make these files the new policy. Answers when the kernel holds it, or with
/// one line per problem.
#[derive(Debug, Default, Message)]
#[rtype(result = "Result<Applied, Vec<String>>")]
pub struct Apply {
    /// The files.
    pub files: Vec<PolicyFile>,
    /// Who asked.
    pub by: String,
    /// Why, if that was said.
    pub why: Option<String>,
    /// The revision whose files these are, if it goes back to an earlier one.
    pub back_to: Option<u64>,
    /// How long it counts unless somebody confirms it; without end where nothing is given.
    pub confirm: Option<Duration>,
}

/// Answer to [`Apply`].
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Applied {
    /// The number of the revision that is in force now.
    pub revision: u64,
    /// Entries that it has in the kernel's maps.
    pub entries: usize,
    /// Those that had to be written or removed.
    pub written: usize,
}

/// To [`crate::policy_keeper::PolicyKeeper`]: the revision that waits for it stays. Answers with its number.
#[derive(Debug, Message)]
#[rtype(result = "Result<u64, Vec<String>>")]
pub struct Confirm {
    /// Who asked.
    pub by: String,
}

/// To [`crate::policy_keeper::PolicyKeeper`]: the revision that waits to be confirmed does not stay. Answers with the one
/// that counts again.
#[derive(Debug, Message)]
#[rtype(result = "Result<u64, Vec<String>>")]
pub struct Revert {
    /// Who asked; nobody: its time is over.
    pub by: Option<String>,
}

/// To [`crate::policy_keeper::PolicyKeeper`]: a revision, the one in force where no number is given.
#[derive(Debug, Message)]
#[rtype(result = "Result<Revision, String>")]
pub struct ShowRevision(pub Option<u64>);

/// To [`crate::policy_keeper::PolicyKeeper`]: every revision, oldest first, and which one waits to be confirmed.
#[derive(Debug, Message)]
#[rtype(result = "History")]
pub struct ShowHistory;

/// Answer to [`ShowHistory`].
#[derive(Debug, Default)]
pub struct History {
    /// The revisions that can be read.
    pub revisions: Vec<Head>,
    /// What is wrong with the others.
    pub wrong: Vec<String>,
    /// The number of the one in force.
    pub in_force: u64,
    /// The one that waits to be confirmed, and the seconds that are left.
    pub pending: Option<(u64, u64)>,
}

/// To [`crate::policy_keeper::PolicyKeeper`]: what would change if these files were applied, or one line per problem.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<Difference>, Vec<String>>")]
pub struct Compare {
    /// The files.
    pub files: Vec<PolicyFile>,
}

/// To [`crate::policy_keeper::PolicyKeeper`]: what these files would have refused of these deeds, or one line per problem.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<WouldRefuse>, Vec<String>>")]
pub struct Simulate {
    /// The files.
    pub files: Vec<PolicyFile>,
    /// What was done.
    pub deeds: Vec<Deed>,
}

/// To [`crate::policy_keeper::PolicyKeeper`]: what would become of an act, or one line per problem.
#[derive(Debug, Message)]
#[rtype(result = "Result<Explanation, Vec<String>>")]
pub struct Explain {
    /// The service, without `.service`.
    pub service: String,
    /// How it would touch the object.
    pub access: Access,
    /// A path, or the name of an operation.
    pub object: String,
}

/// Answer to [`Explain`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Explanation {
    /// The service.
    pub service: String,
    /// `learning`, `manual`, `active` or `archived`.
    pub state: String,
    /// Whether it is refused nothing for a while.
    pub permissive: bool,
    /// The access.
    pub access: Access,
    /// Where the path leads, or the operation.
    pub object: String,
    /// What gave the object its meaning: `SSH.write by /etc/ssh/**`.
    pub from: Vec<String>,
    /// What the kernel alone knows.
    pub unknown: Vec<String>,
    /// What of that the model has, its baseline included.
    pub by_model: Vec<String>,
    /// The verdict and why.
    pub reason: Reason,
}

/// To [`crate::policy_keeper::PolicyKeeper`]: refuse a service nothing for this time, and record what would have been
/// refused; no time: as before. Answers when the kernel holds it.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct GiveLeave {
    /// The service.
    pub service: String,
    /// How long.
    pub time: Option<Duration>,
    /// Who asked.
    pub by: String,
}

/// To [`crate::policy_keeper::PolicyKeeper`]: who is refused nothing, and for how many seconds more.
#[derive(Debug, Message)]
#[rtype(result = "BTreeMap<String, u64>")]
pub struct ShowLeave;

/// To [`crate::policy_keeper::PolicyKeeper`]: compile again, as the host has changed.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Recompile;

/// To [`crate::policy_keeper::PolicyKeeper`]: number of the revision in force.
#[derive(Debug, Message)]
#[rtype(result = "u64")]
pub struct RevisionNumber;

/// To [`crate::audit_log::AuditLog`]: a denied or audited act. An error says why it has to be given again.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Violation(pub Box<Act>);

/// To [`crate::audit_log::AuditLog`]: a record that is made already. An error: it is not in the trail.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Put(pub Box<Record>);

/// To [`crate::audit_log::AuditLog`]: the API refused a change that a service asked for.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Refused {
    /// The service, by the label of the task that asked.
    pub service: String,
    /// What it asked for, in one word.
    pub what: &'static str,
    /// The program that asked, if it can be told.
    pub exe: Option<String>,
    /// Its process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
}

/// To [`crate::audit_log::AuditLog`]: the kernel's counts. They only ever rise while `load` stays the same.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Counts {
    /// Identity of the load.
    pub load: u64,
    /// Repeats of acts.
    pub repeats: Vec<Repeat>,
    /// Acts without a record of their own.
    pub floods: Vec<Flood>,
    /// Losses by kind.
    pub loss: BTreeMap<String, u64>,
}

/// To [`crate::audit_log::AuditLog`]: names of the rules of a generation that is about to count.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Rules {
    /// The load that counts the generations.
    pub load: u64,
    /// The generation.
    pub generation: u64,
    /// Names by index.
    pub names: Vec<String>,
}

/// To [`crate::audit_log::AuditLog`]: something that Bartizan itself has to say.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Tell {
    /// What about.
    pub kind: Kind,
    /// Which service, if one.
    pub service: Option<String>,
    /// One sentence.
    pub message: String,
}

/// To [`crate::audit_log::AuditLog`]: records after an id.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<Record>, String>")]
pub struct Audits {
    /// Only records with a greater id.
    pub after: u64,
    /// Only this service's.
    pub service: Option<String>,
    /// The newest so many.
    pub limit: usize,
}
