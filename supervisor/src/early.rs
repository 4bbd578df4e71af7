//! `bartizand --early`: the active revision in force before network services start. It leaves everything pinned for
//! the daemon and ends; whatever goes wrong, the boot goes on.

use std::path::PathBuf;

use actors::assemble;
use actors::clock::now_ms;
use actors::host::ThisHost;
use actors::model_store::ModelStore;
use actors::placement::Placement;
use actors::revision_store::RevisionStore;
use actors::rule_names::RuleNames;
use bpf::kernel::Kernel as _;

use crate::config::Config;
use crate::paths::{GENERATIONS, MODELS, REVISIONS, SLICES};

/// Installs the active revision. The sentence says what was done.
pub fn run(config: &Config) -> Result<String, String> {
    let store = RevisionStore::new(PathBuf::from(REVISIONS));
    let (revision, passed_over) = store.last_good()?;
    passed_over.iter().for_each(|why| tracing::error!("a revision cannot be used: {why}"));
    let Some(revision) = revision else {
        return Ok("there is no revision yet: nothing is enforced before the daemon starts".to_owned());
    };
    let mut policy = assemble::policy(&revision.files, &revision.bits)
        .map_err(|problems| problems.first().map(ToString::to_string).unwrap_or_default())?;
    let (models, broken) =
        ModelStore::new(PathBuf::from(MODELS)).read().map_err(|error| format!("{MODELS}: {error}"))?;
    for one in broken {
        // The daemon sets it aside and puts it on record.
        tracing::error!("{}: the model of {} cannot be used: {}", one.path.display(), one.service, one.why);
    }
    policy.slices = Placement::read(PathBuf::from(SLICES)).slices().clone();
    let compiled =
        assemble::revision(&policy, &assemble::service_models(&models), &config.operators, &ThisHost, now_ms())?;
    let mut opened = bpf::enforcement::open(config.terms.graduation.start).map_err(|error| error.to_string())?;
    if opened.adopted && !passed_over.is_empty() {
        return Ok("what the kernel holds stays in force as it is".to_owned());
    }
    let load = opened.kernel.load().map_err(|error| error.to_string())?;
    let generation = opened.kernel.next_generation().map_err(|error| error.to_string())?;
    RuleNames::read(PathBuf::from(GENERATIONS))
        .remember(load, generation, revision.number, &compiled.rules)
        .map_err(|error| format!("{GENERATIONS}: {error}"))?;
    opened.kernel.install(&compiled).map_err(|error| error.to_string())?;
    Ok(format!("revision {} is in force", revision.number))
}
