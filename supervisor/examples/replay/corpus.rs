//! The events: of every kind that becomes an audit record, of 100 services, about the same objects again and again and
//! about others each time, in equal parts.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bpf::event::Delivery;
use bpf::replay::{self, Recorded, Sample};
use nix::sys::stat::{major, minor};
use nix::time::{ClockId, clock_gettime};

/// How many services act.
const SERVICES: u32 = 100;
/// `BZ_AUDIT` and `BZ_DENY` of wire.h.
const AUDIT: u8 = 1;
const DENY: u8 = 2;

/// `BZ_WHY_*`, `BZ_OBJECT_*`, access, verdict, capabilities as bits, `BZ_OP_*`, path, program, end of the address and port.
type Row = (u8, u8, u8, u8, u64, u8, &'static str, &'static str, (u8, u16));

/// What is told; the numbers are those of wire.h.
const KINDS: [Row; 12] = [
    (0, 0, 0, DENY, 1 << 6, 0, "/usr/sbin/useradd", "/usr/bin/python3.11", (0, 0)),
    (0, 0, 1, AUDIT, 1 << 6 | 1 << 3, 0, "/etc/shadow", "/usr/sbin/nginx", (0, 0)),
    (0, 0, 2, DENY, 1 << 5, 0, "/etc/ssh/sshd_config.d/10-listen.conf", "/usr/lib/postgresql/15/bin/postgres", (0, 0)),
    (0, 0, 2, DENY, 1 << 2, 0, "/etc/cron.d/every-minute", "/usr/lib/jvm/java-17-openjdk-amd64/bin/java", (0, 0)),
    (0, 0, 3, DENY, 1 << 4, 0, "/run/docker.sock", "/usr/bin/node", (0, 0)),
    (0, 0, 2, AUDIT, 1 << 1, 0, "/usr/lib/x86_64-linux-gnu/libnss_files.so.2", "/usr/bin/dpkg", (0, 0)),
    (0, 2, 4, DENY, 1 << 7, 0, "/srv/www/shared/uploads", "/usr/bin/mount", (0, 0)),
    (1, 1, 3, DENY, 0, 0, "", "/usr/bin/curl", (7, 25)),
    (1, 1, 3, AUDIT, 0, 0, "", "/usr/sbin/exim4", (99, 443)),
    (2, 3, 4, AUDIT, 0, 0, "/sys/fs/cgroup/user.slice/user-1000.slice", "/usr/bin/dash", (0, 0)),
    (3, 0, 2, DENY, 0, 0, "/var/lib/bartizan/models/nginx.model", "/usr/bin/perl", (0, 0)),
    (4, 0, 0, AUDIT, 0, 0, "/usr/bin/nc.openbsd", "/usr/bin/bash", (0, 0)),
];

/// What will be replayed.
pub(crate) struct Corpus {
    events: Vec<Recorded>,
    /// How many before the gate, and behind it.
    counts: [u64; 2],
    rate: Option<u32>,
    gate: Receiver<()>,
    made: Made,
}

/// Processor time that making the events took, in nanoseconds: the kernel makes the daemon's.
#[derive(Clone, Default)]
pub(crate) struct Made(Arc<AtomicU64>);

impl Made {
    /// Until now.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn timed(&self, make: impl FnOnce()) {
        let now = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default();
        let before = now();
        make();
        let nanoseconds = u64::try_from(now().saturating_sub(before).as_nanos()).unwrap_or(0);
        self.0.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl Corpus {
    /// Events about objects on the file system of `on`; the second number of them comes when `gate` opens, and the thread that
    /// replays them ends when it opens once more.
    pub(crate) fn new(
        on: &Path,
        counts: [u64; 2],
        rate: Option<u32>,
        gate: Receiver<()>,
        made: Made,
    ) -> Result<Corpus, String> {
        let about = on.metadata().map_err(|error| format!("{}: {error}", on.display()))?;
        let device = major(about.dev()) << 20 | minor(about.dev());
        let mut events = Vec::new();
        for numbered in [false, true] {
            for service in 1..=SERVICES {
                for (why, object, access, verdict, capabilities, operation, path, exe, destination) in KINDS {
                    let sample = Sample {
                        service,
                        why,
                        object,
                        access,
                        verdict,
                        capabilities,
                        operation,
                        path,
                        exe,
                        destination,
                    };
                    events.push(Recorded::new(sample, device, numbered));
                }
            }
        }
        Ok(Corpus { events, counts, rate, gate, made })
    }

    /// Replays them.
    pub(crate) fn start(self) -> std::io::Result<(JoinHandle<()>, Receiver<Delivery>)> {
        let services: BTreeMap<u32, String> =
            (1..=SERVICES).map(|number| (number, format!("service-{number}"))).collect();
        let Corpus { events, counts: [before, then], rate, gate, made } = self;
        let (mut number, mut began) = (0_u64, None);
        replay::start(services, move |most, told| {
            if number == before && began.is_none() {
                // Whoever opens it may be gone: then there is nothing more to replay.
                if gate.recv().is_err() {
                    return;
                }
                began = Some(Instant::now());
            }
            if number == before + then {
                // What the threads spent is looked up while they are there.
                let _ = gate.recv();
                return;
            }
            let last = if began.is_some() { before + then } else { before };
            let due = match (rate, began) {
                (Some(rate), Some(began)) => paced(number - before, rate, began),
                _ => u64::try_from(most).unwrap_or(1),
            };
            let until = last.min(number + due.min(u64::try_from(most).unwrap_or(1)));
            // In an order of its own, so that neighbours are of different services and kinds.
            let length = u64::try_from(events.len()).unwrap_or(1);
            made.timed(|| {
                for number in number..until {
                    let at = usize::try_from(number * 7919 % length).unwrap_or(0);
                    events.iter().skip(at).take(1).for_each(|event| event.tell(number, told));
                }
            });
            number = until;
        })
    }
}

/// Waits until at least one more event is due; how many are.
fn paced(told: u64, rate: u32, began: Instant) -> u64 {
    loop {
        let due = (began.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        if due > told {
            return due - told;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
