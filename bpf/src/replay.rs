//! Events as bytes of the wire's own type, decoded and handed on as those of the kernel's rings are: for measuring what
//! user space spends on them, see supervisor/examples/replay.rs.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use nix::time::{ClockId, clock_gettime};

use crate::event::Delivery;
use crate::skeleton::bartizan::types::bz_event;
use crate::stream::{BATCH, Decoder, PART, RECORD, Ring, deliver, gather};
use crate::wire::bytes;

/// `bz_why`, `bz_object`, `bz_access` and `bz_verdict` of wire.h, with what they are about.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The service's number.
    pub service: u32,
    /// `BZ_WHY_*`.
    pub why: u8,
    /// `BZ_OBJECT_*`.
    pub object: u8,
    /// `BZ_EXECUTE` and so on.
    pub access: u8,
    /// `BZ_AUDIT` or `BZ_DENY`.
    pub verdict: u8,
    /// The missing capabilities.
    pub capabilities: u64,
    /// `BZ_OP_*`.
    pub operation: u8,
    /// The object's path on the file system of `/`, or a cgroup's name.
    pub path: &'static str,
    /// The program's path there.
    pub exe: &'static str,
    /// The last byte of an address below 203.0.113.0/24 and the port, over TCP.
    pub destination: (u8, u16),
    /// The process's arguments, with blanks between them.
    pub command: &'static str,
    /// The names of its parents, nearest first.
    pub ancestors: &'static [&'static str],
}

/// Bytes of an event that changes a little each time it is told.
#[derive(Clone, Copy, Debug)]
pub struct Recorded {
    sample: Sample,
    dev: u64,
    numbered: bool,
}

/// Bytes of the ring of violations (maps.bpf.h).
const RING: u64 = 1 << 24;
/// EXT4_SUPER_MAGIC.
const EXT4: u64 = 0xef53;

impl Recorded {
    /// An event like this, on the file system `dev` (of the kernel, 20 bits for the minor number). `numbered`: each time it
    /// is told of another object, whose name ends with a number.
    pub fn new(sample: Sample, dev: u64, numbered: bool) -> Recorded {
        Recorded { sample, dev, numbered: numbered && sample.object != 1 && !sample.path.is_empty() }
    }

    /// Adds its bytes as the event with this number of all. They are made each time: what a corpus holds would count as the
    /// daemon's memory.
    pub fn tell(&self, number: u64, to: &mut Vec<u8>) {
        let Recorded { sample, dev, .. } = *self;
        let time = clock_gettime(ClockId::CLOCK_BOOTTIME).map(std::time::Duration::from).unwrap_or_default();
        let (last, port) = sample.destination;
        let mut event = bz_event {
            time: u64::try_from(time.as_nanos()).unwrap_or(0),
            key: number + 1,
            pid: 1_000 + u32::try_from(number % 30_000).unwrap_or(0),
            service: sample.service,
            why: sample.why,
            object: sample.object,
            access: sample.access,
            verdict: sample.verdict,
            capabilities: sample.capabilities,
            operation: sample.operation,
            dev,
            magic: EXT4,
            exe_dev: dev,
            exe_magic: EXT4,
            generation: 1,
            uid: 33,
            address: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, last],
            port,
            protocol: 6,
            ..Default::default()
        };
        event.login_uid = u32::MAX;
        event.session = u32::MAX;
        event.ino = 1_000_000 + number % 4_096;
        (event.cpu, event.sequence) = (u32::try_from(number % 4).unwrap_or(0), number / 4 + 1);
        event.start = event.time.saturating_sub(3_600_000_000_000);
        for ((to, name), pid) in event.ancestors.iter_mut().zip(sample.ancestors).zip(600_u32..) {
            (to.pid, to.start) = (pid, event.start);
            put(&mut to.comm, name.bytes());
            event.ancestors_len += 1;
        }
        let arguments = sample.command.bytes().map(|byte| if byte == b' ' { 0 } else { byte }).chain([0]);
        event.command_len = put(&mut event.command, arguments);
        event.cgroup_len = fill(&mut event.cgroup, &format!("system.slice/service-{}.service", sample.service));
        event.exe_len = fill(&mut event.exe, sample.exe);
        event.path_len = if self.numbered {
            fill(&mut event.path, &format!("{}{number:08}", sample.path))
        } else {
            fill(&mut event.path, sample.path)
        };
        to.extend_from_slice(&bytes(&event));
    }
}

/// Writes the names of a path from the leaf to the root, each with its NUL; how many bytes that is.
fn fill(to: &mut [u8], path: &str) -> u16 {
    let names = path.split('/').rev().filter(|name| !name.is_empty());
    put(to, names.flat_map(|name| name.bytes().chain([0])))
}

/// Writes what there is room for; how many bytes that is.
fn put(to: &mut [u8], bytes: impl Iterator<Item = u8>) -> u16 {
    to.iter_mut().zip(bytes).fold(0, |length, (place, byte)| {
        *place = byte;
        length + 1
    })
}

/// What is replayed, in the place of a ring.
pub trait Source: Send + 'static {
    /// Adds the next records, at most so many, when there are any. None: this was all.
    fn next(&mut self, most: usize, told: &mut Vec<u8>);
    /// How many there are now.
    fn waiting(&self) -> u64;
}

/// Hands on what `source` tells one after another, as a ring's thread does.
pub fn start(
    services: BTreeMap<u32, String>,
    mut source: impl Source,
) -> io::Result<(JoinHandle<()>, Receiver<Delivery>)> {
    let (sender, receiver) = sync_channel(0);
    let thread = std::thread::Builder::new().name("rings".to_owned()).spawn(move || {
        let mut decoder = Decoder::new(|| Some(services.clone()));
        let mut told = Vec::new();
        loop {
            told.clear();
            source.next(BATCH, &mut told);
            let records = told.chunks_exact(RECORD);
            let count = records.len();
            if count == 0 {
                return;
            }
            let mut events = decoder.begin();
            events.extend(records.filter_map(|one| decoder.decode(one, Ring::Violations)));
            deliver(&sender, events);
            if count < BATCH {
                gather(|| source.waiting() * RECORD as u64 > RING / PART);
            }
        }
    })?;
    Ok((thread, receiver))
}
