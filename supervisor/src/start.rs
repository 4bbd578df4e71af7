//! Starts the daemon: enforcement first, then the actors around it, then the API.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix::{Actor as _, Addr, Arbiter};
use actors::assemble::{self, Operators};
use actors::audit_log::{AuditLog, AuditSettings};
use actors::clock::now_ms;
use actors::directory::Directory;
use actors::host::ThisHost;
use actors::import_journal::ImportJournal;
use actors::kernel_link::KernelLink;
use actors::messages::{Apply, Recompile, Supervise};
use actors::model_store::ModelStore;
use actors::on_loss::OnLoss;
use actors::permissive::Permissive;
use actors::placement::Placement;
use actors::policy_keeper::{Beginning, PolicyKeeper};
use actors::record::Kind;
use actors::registry::Registry;
use actors::revision_store::RevisionStore;
use actors::root::{Child, Root, Start};
use actors::terms::Terms;
use actors::unit_watch::UnitWatch;
use bpf::enforcement::{Opened, open};
use bpf::kernel::{Kernel as _, KernelError};
use policy::model::Model;

use crate::config::Config;
use crate::paths::{AUDIT, GENERATIONS, MODELS, PERMISSIVE, POLICY, REVISIONS, SLICES};

/// Why the daemon cannot start.
#[derive(Debug)]
pub enum StartError {
    /// This machine cannot enforce, and trying again does not change that.
    Unsupported(String),
    /// Something else, which may be better next time.
    Failed(String),
}

impl From<String> for StartError {
    fn from(error: String) -> StartError {
        StartError::Failed(error)
    }
}

impl From<KernelError> for StartError {
    fn from(error: KernelError) -> StartError {
        if error.is_final() {
            StartError::Unsupported(error.to_string())
        } else {
            StartError::Failed(error.to_string())
        }
    }
}

/// Starts every actor; with `enforce`, the hooks run when this returns.
pub async fn start(config: &Config, enforce: bool) -> Result<Directory, StartError> {
    let directory = Directory::default();
    let root = Root::default().start();
    directory.set_root(root.clone());
    let opened = if enforce { Some(open(config.terms.graduation.start)?) } else { None };
    let (load, adopted, opened) = identity(opened)?;
    // What the kernel tells first may be about what an operator's capability needs.
    let (active, _) = RevisionStore::new(PathBuf::from(REVISIONS)).in_force()?;
    directory.set_bits(active.unwrap_or_default().bits);
    supervise(&root, "audit log", audit(directory.clone(), load, config.audit.clone())).await?;
    tracing::info!("{}", on_loss(config.audit.losses.on_loss));
    let store = ModelStore::new(PathBuf::from(MODELS));
    let (models, aside) = store.load(now_ms()).map_err(|error| format!("{MODELS}: {error}"))?;
    for broken in &aside {
        directory.tell(Kind::Lifecycle, Some(&broken.service), broken.to_string());
    }
    let mut models: BTreeMap<String, Model> = models.into_iter().map(|model| (model.service.clone(), model)).collect();
    match ImportJournal::new(store.directory()).finish(&store, &mut models) {
        Ok(done) => done.into_iter().for_each(|done| directory.tell(Kind::Lifecycle, None, done)),
        Err(error) => tracing::error!("an import of models that was cut short cannot be finished: {error}"),
    }
    if let Some(opened) = opened {
        supervise(&root, "kernel link", kernel(directory.clone(), opened, config.terms.graduation.start)).await?;
    }
    supervise(&root, "policy keeper", keeper(directory.clone(), config.operators.clone(), adopted)).await?;
    if enforce {
        let mounts = actors::host::mountinfo();
        first_install(&directory, adopted).await?;
        crate::mounts::watch(directory.clone(), mounts).map_err(|error| format!("/proc/1/mountinfo: {error}"))?;
    }
    supervise(&root, "registry", registry(directory.clone(), store, config.terms.clone(), models)).await?;
    if enforce {
        crate::slices::watch(directory.clone()).map_err(|error| format!("slices cannot be watched: {error}"))?;
        supervise(&root, "unit watch", unit_watch(directory.clone(), config.terms.clone())).await?;
    }
    directory.tell(Kind::Lifecycle, None, started(enforce, adopted));
    Ok(directory)
}

/// What is configured about losses, for the log of the start.
fn on_loss(on_loss: OnLoss) -> String {
    let follows = match on_loss {
        OnLoss::Log => "a loss is told in this log only",
        OnLoss::Audit => "a loss is on record, and services learn on",
        OnLoss::Hold => "a loss is on record, and services that learn are held",
    };
    let whose = if on_loss == OnLoss::default() { " (the default)" } else { "" };
    format!("[audit] on_loss is {}{whose}: {follows}", on_loss.name())
}

fn started(enforce: bool, adopted: bool) -> String {
    match (enforce, adopted) {
        (false, _) => "Bartizan has started WITHOUT enforcement",
        (true, true) => "Bartizan has started and taken over the enforcement that was in force",
        (true, false) => "Bartizan has started and loaded its enforcement",
    }
    .to_owned()
}

/// The load's number, whether it was taken over, and what was opened.
fn identity(opened: Option<Opened>) -> Result<(u64, bool, Option<Opened>), String> {
    let Some(mut opened) = opened else { return Ok((0, false, None)) };
    let load = opened.kernel.load().map_err(|error| error.to_string())?;
    Ok((load, opened.adopted, Some(opened)))
}

async fn supervise(root: &Addr<Root>, name: &str, start: Start) -> Result<(), String> {
    let child = Child { name: name.to_owned(), start, running: false };
    root.send(Supervise(child)).await.map_err(|error| format!("{name}: {error}"))
}

fn audit(directory: Directory, load: u64, settings: AuditSettings) -> Start {
    Box::new(move |notice| {
        let log = AuditLog::open(Path::new(AUDIT), &settings, Path::new(GENERATIONS), load, directory.clone(), notice);
        log.map_err(|error| format!("{AUDIT}: {error}"))?.run();
        Ok(())
    })
}

fn kernel(directory: Directory, opened: Opened, start_time: Duration) -> Start {
    let arbiter = Arbiter::new();
    let mut first = Some(opened);
    Box::new(move |notice| {
        // After a panic the pinned programs are still in force, and opening takes them over.
        let mut opened = match first.take() {
            Some(opened) => opened,
            None => open(start_time).map_err(|error| error.to_string())?,
        };
        let events = opened.kernel.listen().map_err(|error| error.to_string())?;
        let link = KernelLink::new(Box::new(opened.kernel), events, directory.clone(), notice);
        directory.set_kernel(KernelLink::start_in_arbiter(&arbiter.handle(), move |_| link));
        Ok(())
    })
}

fn keeper(directory: Directory, operators: Operators, adopted: bool) -> Start {
    Box::new(move |notice| {
        let store = RevisionStore::new(PathBuf::from(REVISIONS));
        let (revision, passed_over) = store.in_force()?;
        for why in &passed_over {
            let then =
                if adopted { "what the kernel holds stays in force as it is" } else { "the one before it is taken" };
            directory.tell(Kind::Lifecycle, None, format!("A revision cannot be used, and {then}: {why}"));
        }
        let broken = passed_over.into_iter().next().filter(|_| adopted);
        let revision = revision.unwrap_or_default();
        let policy = assemble::policy(&revision.files, &revision.bits)
            .map_err(|problems| problems.first().map(ToString::to_string).unwrap_or_default())?;
        let (models, _) = ModelStore::new(PathBuf::from(MODELS)).read().map_err(|error| error.to_string())?;
        let services = assemble::service_models(&models);
        let beginning = Beginning {
            revision,
            policy,
            services,
            operators: operators.clone(),
            broken,
            permissive: Permissive::read(PathBuf::from(PERMISSIVE)),
            placement: Placement::read(PathBuf::from(SLICES)),
        };
        let keeper = PolicyKeeper::new(directory.clone(), store, Box::new(ThisHost), beginning, notice);
        directory.set_keeper(keeper.start());
        Ok(())
    })
}

fn registry(directory: Directory, store: ModelStore, terms: Terms, models: BTreeMap<String, Model>) -> Start {
    let mut first = Some(models);
    Box::new(move |notice| {
        let registry = Registry::new(directory.clone(), store.clone(), terms.clone(), notice);
        // Learners that outlived the registry are still in the directory.
        registry.run(first.take().unwrap_or_default());
        Ok(())
    })
}

fn unit_watch(directory: Directory, terms: Terms) -> Start {
    Box::new(move |notice| {
        UnitWatch::new(directory.clone(), &terms, notice).start();
        Ok(())
    })
}

/// Has the kernel hold the active revision, or makes the first one of the operator's files.
async fn first_install(directory: &Directory, adopted: bool) -> Result<(), String> {
    let keeper = directory.keeper().ok_or_else(|| "the policy keeper did not start: see the lines above".to_owned())?;
    let (active, passed_over) = RevisionStore::new(PathBuf::from(REVISIONS)).last_good()?;
    if adopted && !passed_over.is_empty() {
        return Ok(());
    }
    if active.is_none() {
        match crate::cli::policy_files::read(Path::new(POLICY)) {
            Ok(files) => {
                let apply = Apply { files, by: "the first start".to_owned(), ..Apply::default() };
                match keeper.send(apply).await.map_err(|error| error.to_string())? {
                    Ok(_) => return Ok(()),
                    Err(lines) => {
                        lines.iter().for_each(|line| tracing::error!("the first policy is not in force: {line}"))
                    }
                }
            }
            Err(error) => tracing::error!("the first policy is not in force: {error}"),
        }
    }
    keeper.send(Recompile).await.map_err(|error| error.to_string())?
}
