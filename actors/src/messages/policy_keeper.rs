//! To the policy keeper.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix::prelude::*;
use policy::access::Access;
use policy::compile::ServiceModel;
use policy::diff::Difference;
use policy::reason::Reason;
use policy::simulate::{Deed, Refused as WouldRefuse};
use serde::{Deserialize, Serialize};

use crate::revision_store::{Head, PolicyFile, Revision};

/// To [`crate::policy_keeper::PolicyKeeper`]: the slices of services that run, without `.slice`.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Placed(pub BTreeMap<String, String>);

/// To [`crate::policy_keeper::PolicyKeeper`]: services that are not made active, and why.
#[derive(Debug, Message)]
#[rtype(result = "BTreeMap<String, String>")]
pub struct ShowHeldBack;

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
    /// A path, the name of an operation, or an address and port.
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
    /// Where the path leads, the operation, or the address and port.
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
