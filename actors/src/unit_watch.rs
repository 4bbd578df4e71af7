//! Asks systemd about units, so that learners know which phases of its life a service has gone through and whether its
//! unit is still there. What counts leaves marks in systemd that stay until the next start, so that asking now and
//! then misses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix::prelude::*;
use bpf::kernel::SeenService;
use policy::maturity::Unit;
use policy::model::State;

use crate::directory::Directory;
use crate::learner::{KEPT, forget_beyond};
use crate::messages::{Services, ShowState, UnitNow};
use crate::root::ExitNotice;
use crate::systemd;
use crate::terms::Terms;
use crate::units::with_files;

/// Between two questions: with the default times a minute.
const OFTEN: Duration = Duration::from_secs(3);
const SELDOM: Duration = Duration::from_secs(60);
/// Services that do not learn are asked about each so many times: that their unit is gone can wait.
const OTHERS: u64 = 10;

/// Asks, and hands on what was said.
pub struct UnitWatch {
    directory: Directory,
    period: Duration,
    turn: u64,
    silent: bool,
    _notice: ExitNotice,
}

impl UnitWatch {
    /// A watch that asks as often as these terms need.
    pub fn new(directory: Directory, terms: &Terms, notice: ExitNotice) -> UnitWatch {
        let period = (terms.graduation.learning / 1440).min(terms.archive_after / 10).clamp(OFTEN, SELDOM);
        UnitWatch { directory, period, turn: 0, silent: false, _notice: notice }
    }

    fn again(&mut self, context: &mut Context<UnitWatch>) {
        let everybody = self.turn.is_multiple_of(OTHERS);
        self.turn += 1;
        let asked = ask(self.directory.clone(), everybody).into_actor(self);
        context.spawn(asked.map(|said, watch, context| {
            if let Err(error) = &said
                && !watch.silent
            {
                tracing::error!("which phases services have gone through cannot be told: {error}");
            }
            watch.silent = said.is_err();
            context.run_later(watch.period, UnitWatch::again);
        }));
    }
}

impl Actor for UnitWatch {
    type Context = Context<UnitWatch>;

    fn started(&mut self, context: &mut Context<UnitWatch>) {
        context.run_later(OFTEN, UnitWatch::again);
    }
}

/// One round.
async fn ask(directory: Directory, everybody: bool) -> Result<(), String> {
    let (mut asked, mut archived) = (BTreeMap::new(), Vec::new());
    for (name, learner) in directory.learners() {
        // A learner that is being rebuilt is asked next time.
        let Ok(state) = learner.send(ShowState).await else { continue };
        if state == State::Archived {
            archived.push(name.clone());
        }
        if everybody || matches!(state, State::Learning | State::Manual) {
            asked.insert(name, learner);
        }
    }
    let names: BTreeSet<String> = asked.keys().cloned().collect();
    let units = systemd::ask(&names).await;
    let seen = seen(&directory).await?;
    let files = units.as_ref().map(|units| with_files(&not_loaded(&names, units))).unwrap_or_default();
    for (name, learner) in asked {
        let (running, earlier) = seen.get(&name).map_or((false, false), |one| (one.running, one.started_earlier));
        let units = units.as_ref().ok().map(|units| units.get(&name).cloned().unwrap_or_default());
        // As above.
        let _ = learner.send(UnitNow { running, earlier, units, file: files.contains(&name) }).await;
    }
    if everybody {
        forget_beyond(KEPT, archived, &directory).await;
    }
    units.map(drop)
}

/// Those of these services of which systemd has no unit loaded.
fn not_loaded(names: &BTreeSet<String>, units: &BTreeMap<String, Vec<Unit>>) -> BTreeSet<String> {
    let loaded = |name: &String| units.get(name).is_some_and(|units| units.iter().any(|unit| unit.loaded));
    names.iter().filter(|name| !loaded(name)).cloned().collect()
}

async fn seen(directory: &Directory) -> Result<BTreeMap<String, SeenService>, String> {
    let kernel = directory.kernel().ok_or_else(|| "enforcement has not started".to_owned())?;
    let services = kernel.send(Services).await.map_err(|error| error.to_string())??;
    Ok(services.into_iter().map(|service| (service.name.clone(), service)).collect())
}
