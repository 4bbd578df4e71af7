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
use bpf::replay::{self, Recorded, Sample, Source};
use nix::sys::stat::{major, minor};
use nix::time::{ClockId, clock_gettime};

/// How many services act.
const SERVICES: u32 = 100;
/// Where a ring's thread would wait for the kernel.
const PAUSE: Duration = Duration::from_micros(200);
/// `BZ_AUDIT` and `BZ_DENY` of wire.h.
const AUDIT: u8 = 1;
const DENY: u8 = 2;

/// Acts by a denied write of a file, by numbers of wire.h.
const ACT: Sample = Sample {
    service: 0,
    why: 0,
    object: 0,
    access: 2,
    verdict: DENY,
    capabilities: 0,
    operation: 0,
    path: "",
    exe: "",
    destination: (0, 0),
    command: "",
    ancestors: &[],
};

/// What is told.
const KINDS: [Sample; 12] = [
    Sample {
        access: 0,
        capabilities: 1 << 6,
        path: "/usr/sbin/useradd",
        exe: "/usr/bin/python3.11",
        command: "python3 -m app.worker --queue mail",
        ancestors: &["python3"],
        ..ACT
    },
    Sample {
        access: 1,
        verdict: AUDIT,
        capabilities: 1 << 6 | 1 << 3,
        path: "/etc/shadow",
        exe: "/usr/sbin/nginx",
        command: "nginx: worker process",
        ancestors: &["nginx"],
        ..ACT
    },
    Sample {
        capabilities: 1 << 5,
        path: "/etc/ssh/sshd_config.d/10-listen.conf",
        exe: "/usr/lib/postgresql/15/bin/postgres",
        command: "postgres: backup backup 10.0.0.7(50412) COPY",
        ancestors: &["postgres"],
        ..ACT
    },
    Sample {
        capabilities: 1 << 2,
        path: "/etc/cron.d/every-minute",
        exe: "/usr/lib/jvm/java-17-openjdk-amd64/bin/java",
        command: "java -Xmx2g -cp /srv/app/lib/* org.example.Main --config /etc/app.yaml",
        ..ACT
    },
    Sample {
        access: 3,
        capabilities: 1 << 4,
        path: "/run/docker.sock",
        exe: "/usr/bin/node",
        command: "node /srv/web/server.js --port 8080",
        ancestors: &["node"],
        ..ACT
    },
    Sample {
        verdict: AUDIT,
        capabilities: 1 << 1,
        path: "/usr/lib/x86_64-linux-gnu/libnss_files.so.2",
        exe: "/usr/bin/dpkg",
        command: "dpkg --unpack /var/cache/apt/archives/libc6_2.36-9_amd64.deb",
        ancestors: &["apt-get", "python3"],
        ..ACT
    },
    Sample {
        object: 2,
        access: 4,
        capabilities: 1 << 7,
        path: "/srv/www/shared/uploads",
        exe: "/usr/bin/mount",
        command: "mount --bind /srv/data /srv/www/shared/uploads",
        ancestors: &["sh", "deploy"],
        ..ACT
    },
    Sample {
        why: 1,
        object: 1,
        access: 3,
        exe: "/usr/bin/curl",
        destination: (7, 25),
        command: "curl -s -u app:hunter2 smtp://203.0.113.7:25",
        ancestors: &["sh", "python3"],
        ..ACT
    },
    Sample {
        why: 1,
        object: 1,
        access: 3,
        verdict: AUDIT,
        exe: "/usr/sbin/exim4",
        destination: (99, 443),
        command: "/usr/sbin/exim4 -bd -q30m",
        ..ACT
    },
    Sample {
        why: 2,
        object: 3,
        access: 4,
        verdict: AUDIT,
        path: "/sys/fs/cgroup/user.slice/user-1000.slice",
        exe: "/usr/bin/dash",
        command: "sh -c exec /usr/lib/systemd/systemd --user",
        ancestors: &["python3"],
        ..ACT
    },
    Sample {
        why: 3,
        path: "/var/lib/bartizan/models/nginx.model",
        exe: "/usr/bin/perl",
        command: "perl /srv/cgi-bin/upload.pl",
        ancestors: &["apache2", "apache2"],
        ..ACT
    },
    Sample {
        why: 4,
        access: 0,
        verdict: AUDIT,
        path: "/usr/bin/nc.openbsd",
        exe: "/usr/bin/bash",
        command: "bash -i",
        ancestors: &["php-fpm8.2", "php-fpm8.2"],
        ..ACT
    },
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
                for kind in KINDS {
                    let sample = Sample { service, ..kind };
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
        replay::start(services, Replayed { corpus: self, number: 0, began: None })
    }
}

/// How far the events are told.
struct Replayed {
    corpus: Corpus,
    number: u64,
    /// When the gate was opened.
    began: Option<Instant>,
}

impl Replayed {
    /// The number of the last event that may be told before anything else happens.
    fn last(&self) -> u64 {
        let [before, then] = self.corpus.counts;
        if self.began.is_some() { before + then } else { before }
    }

    /// The number of the last event that is due now.
    fn due(&self) -> u64 {
        let due = match (self.corpus.rate, self.began) {
            (Some(rate), Some(began)) => {
                let [before, _] = self.corpus.counts;
                before + (began.elapsed().as_secs_f64() * f64::from(rate)) as u64
            }
            _ => u64::MAX,
        };
        due.min(self.last())
    }
}

impl Source for Replayed {
    fn next(&mut self, most: usize, told: &mut Vec<u8>) {
        let [before, then] = self.corpus.counts;
        if self.number == before && self.began.is_none() {
            // Whoever opens it may be gone: then there is nothing more to replay.
            if self.corpus.gate.recv().is_err() {
                return;
            }
            self.began = Some(Instant::now());
        }
        if self.number == before + then {
            // What the threads spent is looked up while they are there.
            let _ = self.corpus.gate.recv();
            return;
        }
        while self.due() <= self.number {
            std::thread::sleep(PAUSE);
        }
        let until = self.due().min(self.number + u64::try_from(most).unwrap_or(1));
        // In an order of its own, so that neighbours are of different services and kinds.
        let Corpus { events, made, .. } = &self.corpus;
        let length = u64::try_from(events.len()).unwrap_or(1);
        made.timed(|| {
            for number in self.number..until {
                let at = usize::try_from(number * 7919 % length).unwrap_or(0);
                events.iter().skip(at).take(1).for_each(|event| event.tell(number, told));
            }
        });
        self.number = until;
    }

    fn waiting(&self) -> u64 {
        self.due().saturating_sub(self.number)
    }
}
