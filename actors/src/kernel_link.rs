//! The one actor that talks to the kernel. It lives in a thread of its own, since installing a revision takes its time.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use bpf::event::{Act, Delivery, Event, Repeat};
use bpf::kernel::{Installation, Kernel, KernelError, ReadBack};
use bpf::other_names::OtherNames;
use tokio::runtime::Runtime;

mod news;

use self::news::News;
use crate::audit_log::AuditLog;
use crate::directory::Directory;
use crate::messages::{
    Attest, CountNow, Counts, Detach, Gauges, Held, Install, Learned, NamesOf, ReadBackNow, Recompile, Rules,
    ServiceOf, Services, ShowGauges, Told, Violations,
};
use crate::record::Kind;
use crate::root::ExitNotice;

/// How often the kernel's counts are read.
const COUNT: Duration = Duration::from_secs(1);
/// How often the kernel is compared with the revision, of which each time takes a part: all is compared in a minute.
const COMPARE: Duration = Duration::from_secs(10);
/// How long the names of rules wait for an audit log that is being rebuilt.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often an event is given to an actor that is not there or goes down on it; together the pauses outlast the longest
/// that Root waits before it rebuilds one, and are over before Root gives up on one that goes down each time.
const ATTEMPTS: u32 = 70;
const PAUSE: Duration = Duration::from_millis(500);

/// Owner of the kernel.
pub struct KernelLink {
    kernel: Box<dyn Kernel>,
    events: Option<Receiver<Delivery>>,
    directory: Directory,
    differed: bool,
    off: bool,
    /// What is to be told to the audit log.
    repeats: Vec<Repeat>,
    news: News,
    /// Who was told before: one that was rebuilt is told all.
    heard_by: Option<Addr<AuditLog>>,
    /// Names of the rules in force, by their numbers.
    rules: Vec<String>,
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
        let (differed, off, repeats, news) = (false, false, Vec::new(), News::default());
        KernelLink {
            kernel,
            events: Some(events),
            directory,
            differed,
            off,
            repeats,
            news,
            heard_by: None,
            rules: Vec::new(),
            _notice: notice,
        }
    }

    /// Reads the kernel's counts. Whether the audit log was given them.
    fn count(&mut self) -> Result<bool, String> {
        let load = self.kernel.load().map_err(|error| error.to_string())?;
        let floods = self.kernel.floods().map_err(|error| error.to_string())?;
        let loss = self.kernel.loss().map_err(|error| error.to_string())?;
        // Last, as it counts some kinds for the last time: nothing may fail between that and the telling.
        let repeats = self.kernel.repeats().map_err(|error| error.to_string())?;
        self.directory.decisions().totals(&repeats, &floods);
        let audit = self.directory.audit();
        if audit != self.heard_by {
            (self.news, self.heard_by) = (News::default(), audit.clone());
        }
        self.repeats.extend(self.news.of(repeats));
        let counts = Counts { load, repeats: std::mem::take(&mut self.repeats), floods, loss };
        let Some(audit) = audit else {
            self.repeats = counts.repeats;
            return Ok(false);
        };
        // What a busy audit log does not take is told next second.
        if let Err(SendError::Full(back) | SendError::Closed(back)) = audit.try_send(counts) {
            self.repeats = back.repeats;
            return Ok(false);
        }
        Ok(true)
    }

    fn compare(&mut self, read: impl FnOnce(&mut dyn Kernel) -> Result<ReadBack, KernelError>) -> Result<Held, String> {
        if self.off {
            return Ok(Held { off: true, ..Held::default() });
        }
        let read_back = read(self.kernel.as_mut()).map_err(|error| error.to_string())?;
        let differs = !read_back.differences.is_empty();
        if differs != self.differed {
            let message = match read_back.differences.first() {
                Some(first) => format!("The kernel does not hold the revision: {first}"),
                None => "The kernel holds the revision again".to_owned(),
            };
            self.directory.tell(if differs { Kind::Tamper } else { Kind::Lifecycle }, None, message);
        }
        self.differed = differs;
        Ok(Held { read_back, loss: self.kernel.loss().map_err(|error| error.to_string())?, off: false })
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
            if let Err(error) = link.compare(|kernel| kernel.read_back_part()) {
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
    let to = Receivers { directory, waiting };
    for mut delivery in events {
        let events = std::mem::take(&mut delivery.events);
        let mut acts = Vec::with_capacity(events.len());
        for event in events {
            match event {
                Event::Violation(act) => acts.push(act),
                other => {
                    to.audit_log(std::mem::take(&mut acts));
                    to.registry(other);
                }
            }
        }
        to.audit_log(acts);
        // Now they may go from the kernel's ring.
        drop(delivery);
    }
}

/// Those who take care of events.
struct Receivers<'a> {
    directory: &'a Directory,
    waiting: &'a Runtime,
}

impl Receivers<'_> {
    /// All at once, or one by one when the audit log goes down on them: then all but that one are taken.
    fn audit_log(&self, acts: Vec<Act>) {
        if acts.is_empty() {
            return;
        }
        let acts = Arc::new(acts);
        let attempts = if acts.len() > 1 { 1 } else { ATTEMPTS };
        if !take_care(self.waiting, attempts, || self.directory.audit(), &Violations(acts.clone())) {
            for act in acts.iter() {
                let alone = Violations(Arc::new(vec![act.clone()]));
                if acts.len() == 1 || !take_care(self.waiting, ATTEMPTS, || self.directory.audit(), &alone) {
                    self.not_taken(act, None);
                }
            }
        }
        self.directory.decisions().acts(&acts);
    }

    fn registry(&self, event: Event) {
        // A registry that has yet to start asks the kernel for every service then.
        let later = matches!(event, Event::ServiceSeen { .. }) && self.directory.registry().is_none();
        let told = Told(event);
        if !later && !take_care(self.waiting, ATTEMPTS, || self.directory.registry(), &told) {
            // What a service did that learns is evidence about it.
            let service = match &told.0 {
                Event::Observation(act) => Some(act.service.as_str()),
                _ => None,
            };
            self.not_taken(&told.0, service);
        }
        self.directory.decisions().event(&told.0);
    }

    fn not_taken(&self, event: &impl std::fmt::Debug, service: Option<&str>) {
        tracing::error!("nobody could take an event: {event:?}");
        let message = "An event of the kernel could not be taken in; the journal has it".to_owned();
        self.directory.tell(Kind::Loss, service, message);
    }
}

/// Has an actor take care of events, so many times at most, and waits until it has, on a full disk for as long as that takes: meanwhile the
/// kernel's ring holds what comes, and counts what does not fit. Whether it was taken.
fn take_care<A, M>(waiting: &Runtime, most: u32, whom: impl Fn() -> Option<Addr<A>>, message: &M) -> bool
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message<Result = Result<(), String>> + Clone + Send + 'static,
{
    let mut attempts = 0;
    loop {
        match whom().map(|address| waiting.block_on(address.send(message.clone()))) {
            Some(Ok(Ok(()))) => return true,
            Some(Ok(Err(error))) => tracing::error!("{error}"),
            // It has yet to start, is being rebuilt, or panicked on this very event.
            None | Some(Err(_)) => attempts += 1,
        }
        if attempts >= most {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
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
    type Result = Result<Installation, String>;

    fn handle(&mut self, install: Install, _: &mut Context<KernelLink>) -> Self::Result {
        if self.off {
            return Err("enforcement is switched off".to_owned());
        }
        let Install { revision, mut compiled } = install;
        compiled.renumber(&self.rules);
        // The names go first: the kernel may tell of an act under this generation before it is answered.
        let generation = self.kernel.next_generation().map_err(|error| error.to_string())?;
        let load = self.kernel.load().map_err(|error| error.to_string())?;
        let rules = Rules { load, generation, revision, names: compiled.rules.clone() };
        if self.directory.audit().is_some() && !patiently(|| self.directory.audit(), rules) {
            return Err("the audit log does not answer, so the revision is not installed".to_owned());
        }
        let done = self.kernel.install(&compiled).map_err(|error| error.to_string())?;
        self.rules = compiled.rules;
        Ok(done)
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

    fn handle(&mut self, ServiceOf(process): ServiceOf, _: &mut Context<KernelLink>) -> Self::Result {
        self.kernel.service_of(&process).map_err(|error| error.to_string())
    }
}

impl Handler<NamesOf> for KernelLink {
    type Result = Result<Option<OtherNames>, String>;

    fn handle(&mut self, NamesOf { path, access, known }: NamesOf, _: &mut Context<KernelLink>) -> Self::Result {
        if self.off {
            return Err("enforcement is switched off".to_owned());
        }
        self.kernel.other_names(&path, access, known).map_err(|error| error.to_string())
    }
}

impl Handler<CountNow> for KernelLink {
    type Result = Result<bool, String>;

    fn handle(&mut self, _: CountNow, _: &mut Context<KernelLink>) -> Self::Result {
        self.count()
    }
}

impl Handler<ReadBackNow> for KernelLink {
    type Result = Result<Held, String>;

    fn handle(&mut self, _: ReadBackNow, _: &mut Context<KernelLink>) -> Self::Result {
        self.compare(|kernel| kernel.read_back())
    }
}

impl Handler<Detach> for KernelLink {
    type Result = Result<(), String>;

    fn handle(&mut self, _: Detach, _: &mut Context<KernelLink>) -> Self::Result {
        // Repeats until now are told; what comes during the detaching is not.
        if let Err(error) = self.count() {
            tracing::error!("{error}");
        }
        self.kernel.detach().map_err(|error| error.to_string())?;
        self.off = true;
        Ok(())
    }
}

impl Handler<ShowGauges> for KernelLink {
    type Result = Result<Gauges, String>;

    fn handle(&mut self, _: ShowGauges, _: &mut Context<KernelLink>) -> Self::Result {
        let rings = self.kernel.rings().map_err(|error| error.to_string())?;
        let decided = self.kernel.decided().map_err(|error| error.to_string())?;
        Ok(Gauges { rings, decided })
    }
}

impl Handler<Attest> for KernelLink {
    type Result = Result<(Held, Vec<bpf::kernel::Map>), String>;

    fn handle(&mut self, _: Attest, _: &mut Context<KernelLink>) -> Self::Result {
        Ok((self.compare(|kernel| kernel.read_back())?, self.kernel.maps().map_err(|error| error.to_string())?))
    }
}
