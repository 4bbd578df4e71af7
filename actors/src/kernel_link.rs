//! The one actor that talks to the kernel. It lives in a thread of its own, since installing a revision takes its time.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use bpf::event::{Delivery, Event};
use bpf::kernel::Kernel;
use tokio::runtime::Runtime;

use crate::directory::Directory;
use crate::messages::{
    Counts, Held, Install, Learned, ReadBackNow, Recompile, Rules, ServiceOf, Services, Told, Violation,
};
use crate::record::Kind;
use crate::root::ExitNotice;

/// How often the kernel's counts are read.
const COUNT: Duration = Duration::from_secs(1);
/// How often the kernel is compared with the revision.
const COMPARE: Duration = Duration::from_secs(10);
/// How long an event waits for an actor that has yet to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often an event is given to an actor that then goes down; the pauses in between outlast its rebuilding.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// Owner of the kernel.
pub struct KernelLink {
    kernel: Box<dyn Kernel>,
    events: Option<Receiver<Delivery>>,
    directory: Directory,
    differed: bool,
    _notice: ExitNotice,
}

impl KernelLink {
    /// A link to this kernel, whose events will be handed on.
    pub fn new(
        kernel: Box<dyn Kernel>,
        events: Receiver<Delivery>,
        directory: Directory,
        notice: ExitNotice,
    ) -> KernelLink {
        KernelLink { kernel, events: Some(events), directory, differed: false, _notice: notice }
    }

    fn count(&mut self) -> Result<(), String> {
        let counts = Counts {
            load: self.kernel.load().map_err(|error| error.to_string())?,
            repeats: self.kernel.repeats().map_err(|error| error.to_string())?,
            floods: self.kernel.floods().map_err(|error| error.to_string())?,
            loss: self.kernel.loss().map_err(|error| error.to_string())?,
        };
        if let Some(audit) = self.directory.audit() {
            // A full mailbox is no loss here: the counts only rise, and the next second tells them.
            let _ = audit.try_send(counts);
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<Held, String> {
        let read_back = self.kernel.read_back().map_err(|error| error.to_string())?;
        let differs = !read_back.differences.is_empty();
        if differs != self.differed {
            let message = match read_back.differences.first() {
                Some(first) => format!("The kernel does not hold the revision: {first}"),
                None => "The kernel holds the revision again".to_owned(),
            };
            self.directory.tell(if differs { Kind::Tamper } else { Kind::Lifecycle }, None, message);
        }
        self.differed = differs;
        Ok(Held { read_back, loss: self.kernel.loss().map_err(|error| error.to_string())? })
    }
}

impl Actor for KernelLink {
    type Context = Context<KernelLink>;

    fn started(&mut self, context: &mut Context<KernelLink>) {
        context.set_mailbox_capacity(4096);
        if let Some(events) = self.events.take() {
            let directory = self.directory.clone();
            let thread = std::thread::Builder::new().name("events".to_owned());
            let started = tokio::runtime::Builder::new_current_thread()
                .build()
                .and_then(|waiting| thread.spawn(move || hand_on(&events, &directory, &waiting)));
            if let Err(error) = started {
                tracing::error!("the thread that hands events on cannot be started: {error}");
                context.stop();
            }
        }
        context.run_interval(COUNT, |link, _| {
            if let Err(error) = link.count() {
                tracing::error!("{error}");
            }
        });
        context.run_interval(COMPARE, |link, _| {
            if let Err(error) = link.compare() {
                tracing::error!("{error}");
            }
        });
        // After a rebuild the kernel has to be given the revision again, so that it can be compared.
        if let Some(keeper) = self.directory.keeper()
            && let Err(error) = keeper.try_send(Recompile)
        {
            tracing::error!("the policy keeper cannot be asked for the revision: {error}");
        }
    }
}

/// Ends when the ring thread does.
fn hand_on(events: &Receiver<Delivery>, directory: &Directory, waiting: &Runtime) {
    for delivery in events {
        let taken = match &delivery.event {
            Event::Violation(act) => take_care(waiting, || directory.audit(), &Violation(Box::new(act.clone()))),
            // A registry that has yet to start asks the kernel for every service then.
            Event::ServiceSeen { .. } if directory.registry().is_none() => true,
            other => take_care(waiting, || directory.registry(), &Told(other.clone())),
        };
        if !taken {
            tracing::error!("an event was lost: nobody could take it: {:?}", delivery.event);
        }
    }
}

/// Has an actor take care of an event, and waits until it has. Whether it did.
fn take_care<A, M>(waiting: &Runtime, whom: impl Fn() -> Option<Addr<A>>, message: &M) -> bool
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Clone + Send + 'static,
    M::Result: Send,
{
    let deadline = std::time::Instant::now() + PATIENCE;
    let mut attempts = 0;
    while std::time::Instant::now() < deadline && attempts < ATTEMPTS {
        if let Some(address) = whom() {
            match waiting.block_on(address.send(message.clone())) {
                Ok(_) => return true,
                // It is being rebuilt, or it panicked on this very event.
                Err(_) => attempts += 1,
            }
        }
        std::thread::sleep(PAUSE * (attempts + 1));
    }
    false
}

/// Sends to an actor that may be busy or about to be rebuilt, without waiting for what it does. Whether it got there.
fn patiently<A, M>(whom: impl Fn() -> Option<Addr<A>>, message: M) -> bool
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    let deadline = std::time::Instant::now() + PATIENCE;
    let mut message = message;
    loop {
        if let Some(address) = whom() {
            message = match address.try_send(message) {
                Ok(()) => return true,
                Err(SendError::Full(back) | SendError::Closed(back)) => back,
            };
        }
        if std::time::Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Handler<Install> for KernelLink {
    type Result = Result<u64, String>;

    fn handle(&mut self, Install(compiled): Install, _: &mut Context<KernelLink>) -> Self::Result {
        // The names go first: the kernel may tell of an act under this generation before it is answered.
        let generation = self.kernel.next_generation().map_err(|error| error.to_string())?;
        let load = self.kernel.load().map_err(|error| error.to_string())?;
        let rules = Rules { load, generation, names: compiled.rules.clone() };
        if self.directory.audit().is_some() && !patiently(|| self.directory.audit(), rules) {
            return Err("the audit log does not answer, so the revision is not installed".to_owned());
        }
        self.kernel.install(&compiled).map_err(|error| error.to_string())
    }
}

impl Handler<Learned> for KernelLink {
    type Result = Result<(), String>;

    fn handle(&mut self, learned: Learned, _: &mut Context<KernelLink>) -> Self::Result {
        self.kernel.learn(&learned.name, &learned.service).map_err(|error| error.to_string())
    }
}

impl Handler<Services> for KernelLink {
    type Result = Result<Vec<bpf::kernel::SeenService>, String>;

    fn handle(&mut self, _: Services, _: &mut Context<KernelLink>) -> Self::Result {
        self.kernel.services().map_err(|error| error.to_string())
    }
}

impl Handler<ServiceOf> for KernelLink {
    type Result = Result<Option<String>, String>;

    fn handle(&mut self, ServiceOf(pid): ServiceOf, _: &mut Context<KernelLink>) -> Self::Result {
        self.kernel.service_of(pid).map_err(|error| error.to_string())
    }
}

impl Handler<ReadBackNow> for KernelLink {
    type Result = Result<Held, String>;

    fn handle(&mut self, _: ReadBackNow, _: &mut Context<KernelLink>) -> Self::Result {
        self.compare()
    }
}
