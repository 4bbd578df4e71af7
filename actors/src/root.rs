//! Supervision. actix restarts an actor only after it stopped by itself; one whose handler panics is dropped with its
//! mailbox. So each child owns an [`ExitNotice`], and Root builds it anew, ever more slowly, until it gives up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use actix::prelude::*;

use crate::messages::{Dismiss, Exited, Restarts, Retire, Supervise};

/// Delay before the first rebuild; it doubles with each that follows soon.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// Longest delay.
const LAST_DELAY: Duration = Duration::from_secs(30);
/// A child that ran this long has recovered.
const RECOVERED: Duration = Duration::from_secs(60);
/// Exits in a row after which the daemon ends with [`GAVE_UP`], so that systemd starts it afresh.
const ATTEMPTS: u32 = 10;
/// Exit status of a daemon whose child could not be kept running.
pub const GAVE_UP: i32 = 4;

/// Builds a child. The notice must become part of it.
pub type Start = Box<dyn FnMut(ExitNotice) -> Result<(), String> + Send>;

/// Something to keep running.
pub struct Child {
    /// Its name in messages.
    pub name: String,
    /// Builds it.
    pub start: Start,
    /// Whether it runs already, with a notice of its own.
    pub running: bool,
}

/// Tells Root when the actor that owns it is gone.
pub struct ExitNotice {
    name: String,
    root: Addr<Root>,
}

impl ExitNotice {
    /// A notice for a child of this name.
    pub fn new(name: &str, root: Addr<Root>) -> ExitNotice {
        ExitNotice { name: name.to_owned(), root }
    }
}

impl Drop for ExitNotice {
    #[allow(clippy::disallowed_methods)] // the one message that must not be lost to a full mailbox
    fn drop(&mut self) {
        self.root.do_send(Exited { name: self.name.clone(), panicking: std::thread::panicking() });
    }
}

struct Entry {
    start: Start,
    started: Instant,
    exits: u32,
    /// How often it was built anew.
    restarts: u64,
}

/// The supervisor of all other actors.
#[derive(Default)]
pub struct Root {
    children: BTreeMap<String, Entry>,
}

/// The delay before the rebuild after this many exits in a row.
fn delay(exits: u32) -> Duration {
    FIRST_DELAY.saturating_mul(2u32.saturating_pow(exits.saturating_sub(1))).min(LAST_DELAY)
}

impl Root {
    fn build(&mut self, name: &str, context: &mut Context<Root>) {
        let Some(entry) = self.children.get_mut(name) else { return };
        entry.started = Instant::now();
        if let Err(error) = (entry.start)(ExitNotice::new(name, context.address())) {
            tracing::error!("{name} cannot be started: {error}");
        }
    }
}

impl Actor for Root {
    type Context = Context<Root>;

    fn started(&mut self, context: &mut Context<Root>) {
        // Every learner announces itself at once when the daemon starts; actix's default holds 16 messages.
        context.set_mailbox_capacity(4096);
    }
}

impl Handler<Retire> for Root {
    type Result = ();

    fn handle(&mut self, _: Retire, context: &mut Context<Root>) {
        context.stop();
    }
}

impl Handler<Supervise> for Root {
    type Result = ();

    fn handle(&mut self, Supervise(child): Supervise, context: &mut Context<Root>) {
        let Child { name, start, running } = child;
        self.children.insert(name.clone(), Entry { start, started: Instant::now(), exits: 0, restarts: 0 });
        if !running {
            self.build(&name, context);
        }
    }
}

impl Handler<Dismiss> for Root {
    type Result = ();

    fn handle(&mut self, Dismiss(name): Dismiss, _: &mut Context<Root>) {
        self.children.remove(&name);
    }
}

impl Handler<Exited> for Root {
    type Result = ();

    fn handle(&mut self, Exited { name, panicking }: Exited, context: &mut Context<Root>) {
        let Some(entry) = self.children.get_mut(&name) else { return };
        entry.exits = if entry.started.elapsed() > RECOVERED { 1 } else { entry.exits + 1 };
        if entry.exits > ATTEMPTS {
            tracing::error!("{name} ended {ATTEMPTS} times in a row: giving up, so that systemd starts afresh");
            System::current().stop_with_code(GAVE_UP);
            return;
        }
        entry.restarts += 1;
        let wait = delay(entry.exits);
        let how = if panicking { "panicked" } else { "ended" };
        tracing::error!("{name} {how}; it is built anew in {wait:?}");
        context.run_later(wait, move |root, context| root.build(&name, context));
    }
}

impl Handler<Restarts> for Root {
    type Result = MessageResult<Restarts>;

    fn handle(&mut self, _: Restarts, _: &mut Context<Root>) -> Self::Result {
        MessageResult(self.children.iter().map(|(name, entry)| (name.clone(), entry.restarts)).collect())
    }
}

#[cfg(test)]
#[path = "root/tests.rs"]
mod tests;
