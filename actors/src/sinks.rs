//! Where records go beside the trail: the journal, and what the configuration names. Each sink has a thread and a queue
//! of its own; none holds back another, the trail or the kernel.
//!
//! What a sink cannot take yet waits on the disk in the trail itself, from the record after the last that it took on
//! ([`delivery`]); what waits is bounded, and beyond that is counted and told as a loss.

mod cursor;
mod delivery;
mod http;
mod journal;
mod names;
mod ocsf;
mod otlp;
mod output;
mod roots;
#[cfg(test)]
mod sample;
mod severity;
mod syslog;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use crate::messages::SinkNow;
use crate::record::Record;
use crate::written::Written;
use delivery::{Delivery, Item};
pub use journal::write as write_to_journal;

/// Records that may wait in memory for a sink; those that come then are read from the trail.
const QUEUE: usize = 4096;
/// How long the end of the daemon waits for all sinks together.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of the stack of a sink's thread. TLS, which checks certificates there, takes most of it.
const STACK: usize = 512 << 10;
/// The name of the sink that is always there.
pub const JOURNAL: &str = "journal";

/// What a sink could not deliver.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How many records it had delivered before.
    taken: usize,
    /// Why not more, in words.
    why: String,
}

impl Failure {
    fn of(why: impl ToString) -> Failure {
        Failure { taken: 0, why: why.to_string() }
    }
}

/// Takes records to one place.
pub(crate) trait Sink: Send {
    /// Delivers records in their order: how many of them the other side refused for good. A failure: the rest is to be
    /// given again.
    fn deliver(&mut self, records: &[&Written]) -> Result<u64, Failure>;
}

/// Where a sink delivers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// RFC 5424, a datagram for a record, to `HOST:PORT`.
    SyslogUdp(String),
    /// RFC 5424 with octet counting (RFC 6587), to `HOST:PORT`.
    SyslogTcp(String),
    /// Detection Findings of OCSF, as JSON arrays, to this URL.
    Ocsf(Web),
    /// Logs of OTLP in JSON, to this URL.
    Otlp(Web),
}

/// A place that is asked over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// `http://HOST[:PORT]/PATH`, or the same with `https`.
    pub url: String,
    /// For https: a file with the certificates of the authorities that count, as PEM; without it those of the system do.
    pub ca: Option<PathBuf>,
    /// A file with a token that is sent as `Authorization: Bearer`.
    pub token: Option<PathBuf>,
}

/// A sink, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its name, of lower-case letters, digits and `-`: no two have the same.
    pub name: String,
    /// Where it delivers to.
    pub to: To,
    /// How many records may wait for it.
    pub backlog: u64,
}

/// Records that may wait where nothing is said.
pub const BACKLOG: u64 = 100_000;

impl Settings {
    fn sink(&self) -> Box<dyn Sink> {
        match &self.to {
            To::SyslogUdp(to) => Box::new(syslog::Udp::new(to)),
            To::SyslogTcp(to) => Box::new(syslog::Tcp::new(to)),
            To::Ocsf(web) => Box::new(ocsf::Ocsf::new(web)),
            To::Otlp(web) => Box::new(otlp::Otlp::new(web)),
        }
    }
}

/// What a sink's thread shares with those who give it records.
#[derive(Debug, Default)]
struct Reach {
    /// The newest record of the trail.
    newest: AtomicU64,
    /// The newest record that the queue did not take.
    missed: AtomicU64,
    /// Records in the queue.
    queued: AtomicUsize,
    /// The newest record that it has.
    after: AtomicU64,
    /// Records that it did not get.
    skipped: AtomicU64,
    failing: AtomicBool,
}

/// One running sink.
struct Running {
    queue: SyncSender<Item>,
    reach: Arc<Reach>,
    ended: Receiver<()>,
}

/// Tells the trail that a sink lost records: the record of it, with their count. Whether it was taken.
pub(crate) type Tell = Arc<dyn Fn(Record) -> bool + Send + Sync>;

/// All sinks.
pub struct Sinks(Vec<(String, Running)>);

impl Sinks {
    /// Starts the journal and those of the configuration. They go on where they were, new ones after the record `last`;
    /// `trail` is the trail's directory.
    pub fn start(
        settings: &[Settings],
        trail: &Path,
        last: u64,
        tell: impl Fn(Record) -> bool + Send + Sync + 'static,
    ) -> io::Result<Sinks> {
        let tell: Tell = Arc::new(tell);
        let journal: (&str, Box<dyn Sink>, u64) = (JOURNAL, Box::new(journal::Journal), BACKLOG);
        let others = settings.iter().map(|one| (one.name.as_str(), one.sink(), one.backlog));
        let mut running = Vec::new();
        for (name, sink, backlog) in std::iter::once(journal).chain(others) {
            running.push((name.to_owned(), start(name, sink, backlog, trail, last, tell.clone())?));
        }
        Ok(Sinks(running))
    }

    /// Gives all of them records that are in the trail. Never waits. `told`: the journal has them already.
    pub fn put(&self, written: &Arc<Vec<Written>>, told: bool) {
        let Some(last) = written.last() else { return };
        for (name, Running { queue, reach, .. }) in &self.0 {
            reach.newest.fetch_max(last.record.id, Ordering::AcqRel);
            let item = Item { records: written.clone(), told: told && name == JOURNAL };
            // What the queue does not take is read from the trail later.
            if reach.queued.fetch_add(written.len(), Ordering::AcqRel) >= QUEUE || queue.try_send(item).is_err() {
                reach.missed.fetch_max(last.record.id, Ordering::AcqRel);
                reach.queued.fetch_sub(written.len(), Ordering::AcqRel);
            }
        }
    }

    /// How each of them is.
    pub fn now(&self) -> Vec<SinkNow> {
        let one = |(name, running): &(String, Running)| {
            let Running { reach, .. } = running;
            SinkNow {
                name: name.clone(),
                up: !reach.failing.load(Ordering::Relaxed),
                waiting: reach.newest.load(Ordering::Acquire).saturating_sub(reach.after.load(Ordering::Relaxed)),
                skipped: reach.skipped.load(Ordering::Relaxed),
            }
        };
        self.0.iter().map(one).collect()
    }

    /// Ends all of them. Waits a little until what is queued is delivered; one that hangs is left, and goes on there at
    /// the next start, as do all with records that come after this.
    pub fn finish(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let ends: Vec<Receiver<()>> = self.0.drain(..).map(|(_, running)| running.ended).collect();
        for ended in ends {
            let _ = ended.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

fn start(name: &str, sink: Box<dyn Sink>, backlog: u64, trail: &Path, last: u64, tell: Tell) -> io::Result<Running> {
    let (queue, items) = sync_channel(QUEUE);
    let (end, ended) = channel();
    // What is there already was in no queue.
    let (newest, missed) = (AtomicU64::new(last), AtomicU64::new(last));
    let reach = Arc::new(Reach { newest, missed, ..Reach::default() });
    let delivery = Delivery::new(name, sink, backlog, trail, reach.clone(), tell);
    let thread = std::thread::Builder::new().name(format!("sink-{name}")).stack_size(STACK);
    thread.spawn(move || {
        delivery.run(&items);
        drop(end);
    })?;
    Ok(Running { queue, reach, ended })
}

impl Drop for Sinks {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
#[path = "sinks/tests.rs"]
mod tests;
