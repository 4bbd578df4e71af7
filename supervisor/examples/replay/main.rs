//! What user space spends on an event: replays events of the kernel's rings through the daemon's own actors, as it sets
//! them up, and prints as JSON how much processor time of this process that took. `scripts/bench user` starts it.
//!
//!     replay --place DIR --config FILE --events N [--rate EVENTS_PER_SECOND]

#![allow(clippy::print_stdout)] // what it measured is its output

mod corpus;
// The kernel of the actors' tests, which tells nothing by itself.
#[allow(dead_code, clippy::unwrap_used)] // a part of it is enough here
#[path = "../../../actors/tests/together/remembering.rs"]
mod remembering;
mod spent;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use actix::{Actor as _, Addr, Arbiter, System};
use actors::audit_log::AuditLog;
use actors::directory::Directory;
use actors::kernel_link::KernelLink;
use actors::messages::{ShowQueues, Sign};
use actors::root::{ExitNotice, Root};
use clap::Parser;
use corpus::{Corpus, Made};
use remembering::Remembering;
use spent::Spent;
use supervisor::{config, logging};

#[derive(Parser)]
struct Arguments {
    /// An empty directory for the trail and the store.
    #[arg(long)]
    place: PathBuf,
    /// A configuration of the daemon: bounds and sinks count.
    #[arg(long)]
    config: PathBuf,
    /// How many events are replayed and counted.
    #[arg(long)]
    events: u64,
    /// How many come in a second; without it as fast as they are taken.
    #[arg(long)]
    rate: Option<u32>,
}

/// Events before those that count: what is made once is made then.
const BEFORE: u64 = 5_000;
/// How long all sinks together may take for the last of the events.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is asked whether they have it.
const LOOK: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let told = System::new().block_on(measure(Arguments::parse()));
    match told {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("replay: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(asked: Arguments) -> Result<serde_json::Value, String> {
    let config = config::read(&asked.config)?;
    logging::start(config.log_level)?;
    let directory = Directory::default();
    let root = Root::default().start();
    directory.set_root(root.clone());
    let (trail, rules) = (asked.place.join("audit"), asked.place.join("rules"));
    let notice = |name: &str| ExitNotice::new(name, root.clone());
    let log = AuditLog::open(&trail, &config.audit, &rules, 1, directory.clone(), notice("audit log"));
    log.map_err(|error| format!("{}: {error}", trail.display()))?.run();

    // The first events come at once; the gate opens for the others when all has calmed down.
    let (gate, opened) = std::sync::mpsc::channel();
    let made = Made::default();
    let corpus = Corpus::new(Path::new("/"), [BEFORE, asked.events], asked.rate, opened, made.clone())?;
    let (rings, events) = corpus.start().map_err(|error| error.to_string())?;
    let link = KernelLink::new(Box::new(Remembering::but(|_| false)), events, directory.clone(), notice("kernel link"));
    let arbiter = Arbiter::new();
    directory.set_kernel(KernelLink::start_in_arbiter(&arbiter.handle(), move |_| link));

    let log = directory.audit().ok_or("there is no audit log")?;
    reached(&log, BEFORE).await?;
    let before = Spent::now(&made)?;
    let started = Instant::now();
    gate.send(()).map_err(|error| error.to_string())?;
    reached(&log, BEFORE + asked.events).await?;
    let took = started.elapsed();
    let spent = Spent::now(&made)?.since(&before);
    let resident = spent::resident()?;
    gate.send(()).map_err(|error| error.to_string())?;
    log.send(Sign).await.map_err(|error| error.to_string())??;
    rings.join().map_err(|_| "the thread that replays panicked".to_owned())?;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / asked.events as f64;
    let threads: BTreeMap<&str, f64> = spent.threads.iter().map(|(name, time)| (name.as_str(), each(*time))).collect();
    Ok(serde_json::json!({
        "events": asked.events,
        "seconds": took.as_secs_f64(),
        "user_us": each(spent.user),
        "system_us": each(spent.system),
        "made_us": each(spent.made),
        "threads_us": threads,
        "resident_kb": resident,
        "bytes_per_event": { "trail": size(&trail, "audit-")? / (asked.events + BEFORE), "store": size(&trail, "store.")? / (asked.events + BEFORE) },
    }))
}

/// Waits until the store and each sink have this record.
async fn reached(log: &Addr<AuditLog>, id: u64) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE + Duration::from_secs(id / 1_000);
    loop {
        let queues = log.send(ShowQueues).await.map_err(|error| error.to_string())?;
        if let Some(sink) = queues.sinks.iter().find(|sink| sink.skipped > 0) {
            return Err(format!("the sink {} lost {} records", sink.name, sink.skipped));
        }
        let waiting = queues.unwritten + queues.store + queues.sinks.iter().map(|sink| sink.waiting).sum::<u64>();
        if queues.newest >= id && waiting == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("not all have record {id} in time: {queues:?}"));
        }
        actix::clock::sleep(LOOK).await;
    }
}

/// Bytes of the files whose names begin so.
fn size(directory: &Path, begin: &str) -> Result<u64, String> {
    let told = |error: std::io::Error| format!("{}: {error}", directory.display());
    let mut sum = 0;
    for entry in directory.read_dir().map_err(told)? {
        let entry = entry.map_err(told)?;
        if entry.file_name().to_string_lossy().starts_with(begin) {
            sum += entry.metadata().map_err(told)?.len();
        }
    }
    Ok(sum)
}
