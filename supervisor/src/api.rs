//! The REST API on a Unix socket. Peer credentials and the caller's task label decide what it may do.

mod audits;
mod caller;
mod etag;
mod exposition;
mod limits;
mod metrics;
mod models;
mod openapi;
mod refusal;
mod revisions;
mod routes;
mod server;
mod simulation;
mod status;
mod switching;

pub use audits::Followers;
pub use server::{Api, serve, serve_metrics, surface};
pub use switching::StartAnew;

use actors::revision_store::PolicyFile;
use policy::maturity::Maturity;
use serde::{Deserialize, Serialize};

/// Group whose members may read.
pub const GROUP: &str = "bartizan";

/// A policy to be applied.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    /// Its files.
    pub files: Vec<PolicyFile>,
    /// Why.
    #[serde(default)]
    pub why: Option<String>,
    /// Seconds for which it counts unless it is confirmed.
    #[serde(default)]
    pub confirm: Option<u64>,
}

/// What a simulation is about.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulateRequest {
    /// Policy files.
    pub files: Vec<PolicyFile>,
    /// Only what was done in so many seconds until now; everything that is known where nothing is given.
    #[serde(default)]
    pub since: Option<u64>,
}

/// What a simulation found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Simulation {
    /// Deeds that were judged, each with how often it was done.
    pub deeds: u64,
    /// What would have been refused.
    pub refused: Vec<policy::simulate::Refused>,
}

/// An earlier revision to go back to.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// Its number; without one, the revision that waits to be confirmed is taken back.
    #[serde(default)]
    pub revision: Option<u64>,
    /// Why.
    #[serde(default)]
    pub why: Option<String>,
}

/// A service that is to be refused nothing for a while.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissiveRequest {
    /// Seconds; 0 ends it.
    pub seconds: u64,
}

/// One line of `policy history --json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct RevisionStatus {
    /// Its number.
    pub number: u64,
    /// `in force`, `waits to be confirmed` or `earlier`.
    pub state: String,
    /// RFC 3339, UTC.
    pub time: String,
    /// Who applied it.
    pub by: String,
    /// Why, if that was said.
    pub why: Option<String>,
    /// The earlier revision that it goes back to.
    pub back_to: Option<u64>,
    /// SHA-256 of its files, hexadecimal.
    pub digest: String,
    /// How many files it has.
    pub files: usize,
}

/// `policy history --json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct HistoryAnswer {
    /// Oldest first.
    pub revisions: Vec<RevisionStatus>,
    /// Revisions that cannot be read any more, and why.
    pub wrong: Vec<String>,
    /// Seconds that are left to confirm the one that waits.
    pub seconds_to_confirm: Option<u64>,
}

/// `off`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OffRequest {
    /// Whether the next boot enforces again.
    #[serde(default)]
    pub until_reboot: bool,
}

/// Answer to `off` and `on`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Switched {
    /// Who the daemon takes the caller for.
    pub by: String,
    /// For how long.
    pub how_long: String,
}

/// What went wrong, one line per problem.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    /// The lines.
    pub problems: Vec<String>,
}

/// `status --json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// `enforcing`, `degraded`, `disabled` or `unsupported`.
    pub enforcement: String,
    /// Why it is `disabled`; null otherwise.
    pub switched_off: Option<String>,
    /// Number of the revision in force; 0: none yet.
    pub revision: u64,
    /// The running kernel.
    pub kernel: String,
    /// Every hook in use.
    pub hooks: Vec<HookStatus>,
    /// What could not be delivered, and other counts, since the programs were loaded.
    pub loss: std::collections::BTreeMap<String, u64>,
    /// What follows a loss: `log`, `audit` or `hold`; null where no daemon says so.
    #[serde(default)]
    pub on_loss: Option<String>,
    /// Services that learn nothing and stay where they are, as evidence was lost, and for how many seconds more at the least.
    #[serde(default)]
    pub held: std::collections::BTreeMap<String, u64>,
    /// How the kernel differs from the revision; empty when it does not.
    pub differences: Vec<String>,
    /// Services with tasks that ran before enforcement was loaded.
    pub started_earlier: Vec<String>,
    /// Services that are refused nothing, and for how many seconds more.
    #[serde(default)]
    pub permissive: std::collections::BTreeMap<String, u64>,
    /// Services that are not made active since they would be refused what people need to get in, and why.
    #[serde(default)]
    pub held_back: std::collections::BTreeMap<String, String>,
    /// Services whose models do not count yet, how far they have come and what they wait for.
    #[serde(default)]
    pub learning: std::collections::BTreeMap<String, Maturity>,
}

impl Status {
    /// Of a machine where nothing is enforced, for this reason.
    pub fn without_kernel(enforcement: &str, revision: u64) -> Status {
        Status {
            enforcement: enforcement.to_owned(),
            switched_off: if enforcement == "disabled" { crate::switch::disabled() } else { None },
            revision,
            kernel: running_kernel(),
            hooks: Vec::new(),
            loss: std::collections::BTreeMap::new(),
            on_loss: None,
            held: std::collections::BTreeMap::new(),
            differences: Vec::new(),
            started_earlier: Vec::new(),
            permissive: std::collections::BTreeMap::new(),
            held_back: std::collections::BTreeMap::new(),
            learning: std::collections::BTreeMap::new(),
        }
    }
}

fn running_kernel() -> String {
    nix::sys::utsname::uname().map(|name| name.release().to_string_lossy().into_owned()).unwrap_or_default()
}

/// One hook.
#[derive(Debug, Serialize, Deserialize)]
pub struct HookStatus {
    /// The kernel's name for it.
    pub name: String,
    /// The program that was chosen for its prototype.
    pub program: String,
    /// Whether the link was read back and leads to this program.
    pub attached: bool,
    /// The kernel's tag of the program: a digest of its instructions, hexadecimal.
    pub tag: String,
}

/// `attest --json`: what the kernel holds, read from it for this answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Attestation {
    /// RFC 3339, UTC.
    pub time: String,
    /// Name of the machine.
    pub host: String,
    /// The running kernel.
    pub kernel: String,
    /// SHA-256 of the object that this build loads, hexadecimal.
    pub object: String,
    /// Number of the revision that the kernel was compared with.
    pub revision: u64,
    /// Whether it agrees in everything.
    pub agrees: bool,
    /// Every hook in use.
    pub hooks: Vec<HookStatus>,
    /// Every map of the revision.
    pub maps: Vec<MapStatus>,
    /// One sentence per difference.
    pub differences: Vec<String>,
}

/// One map of the revision.
#[derive(Debug, Serialize, Deserialize)]
pub struct MapStatus {
    /// Its name; it is pinned under it.
    pub name: String,
    /// Entries that the kernel holds.
    pub entries: usize,
    /// SHA-256 over their keys and values in the order of the keys, hexadecimal.
    pub digest: String,
}

/// One entry of `services --json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Name, without `.service`.
    pub name: String,
    /// `learning`, `active`, `manual` or `archived`.
    pub state: String,
    /// Capability → accesses.
    pub granted: std::collections::BTreeMap<String, Vec<policy::access::Access>>,
    /// RFC 3339, entry into the state.
    pub since: String,
    /// How far it has come, and what it waits for.
    pub maturity: Maturity,
}

/// `show --json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ModelStatus {
    /// Name, without `.service`.
    pub service: String,
    /// `learning`, `active`, `manual` or `archived`.
    pub state: String,
    /// RFC 3339, entry into the state.
    pub since: String,
    /// How far it has come, and what it waits for.
    pub maturity: Maturity,
    /// Where its baseline is known from, if it has one: `traced`, `pkg` or `doc`.
    pub baseline_from: Option<String>,
    /// What its baseline grants.
    pub baseline: policy::capability::Grants,
    /// What its baseline grants only while it starts.
    pub baseline_at_start: policy::capability::Grants,
    /// What it needed, with what each host saw.
    pub granted: policy::knowledge::Granted,
    /// What of that it is granted only while it starts.
    pub at_start: policy::capability::Grants,
    /// What it ran, with what each host saw.
    pub programs: policy::knowledge::Programs,
}

/// Answer to an import of models.
#[derive(Debug, Serialize, Deserialize)]
pub struct Imported {
    /// What was new, in words.
    pub gained: Vec<String>,
}
