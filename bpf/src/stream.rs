//! The ring thread: takes records out of the rings and hands them on as [`Event`]s.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use libbpf_rs::MapCore as _;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::time::{ClockId, clock_gettime};
use policy::access::Access;
use policy::decide::Verdict;

use crate::event::{Act, Delivery, Event, Object, Why};
use crate::kernel::KernelError;
use crate::paths::{Places, inside};
use crate::ring::Ring;
use crate::skeleton::bartizan::types;
use crate::tables::{Tables, unit_name};
use crate::wire::value;

/// How often it is looked whether to stop, in milliseconds.
const LOOK_UP: u16 = 200;
/// Events that are handed on at once.
pub(crate) const BATCH: usize = 256;
/// Each delivery wakes several threads, which costs more than an event does. After one of few events the next ones are
/// therefore left to gather: a ring holds what comes in many times that.
pub(crate) const FEW: usize = 64;
pub(crate) const GATHER: Duration = Duration::from_millis(4);

/// The running thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Stream {
    stop: Arc<AtomicBool>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Stream {
    /// Starts the thread on its own handles of the maps. The receiver ends when the thread does.
    pub fn start(tables: Tables) -> Result<(Stream, Receiver<Delivery>), KernelError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = sync_channel(0);
        let (ready, started) = sync_channel(1);
        let stopped = Arc::clone(&stop);
        std::thread::Builder::new()
            .name("rings".to_owned())
            .spawn(move || run(&tables, &sender, &stopped, &ready))
            .map_err(|source| KernelError::Bpf { what: "starting the ring thread".to_owned(), source })?;
        match started.recv() {
            Ok(Ok(())) => Ok((Stream { stop }, receiver)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(KernelError::NotHeld("the ring thread ended before it was ready".to_owned())),
        }
    }
}

type Ready = SyncSender<Result<(), KernelError>>;

fn run(tables: &Tables, sender: &SyncSender<Delivery>, stop: &AtomicBool, ready: &Ready) {
    let rings = match open(tables) {
        Ok(rings) => rings,
        Err(error) => {
            // The starter is waiting for exactly this.
            let _ = ready.send(Err(error));
            return;
        }
    };
    if ready.send(Ok(())).is_err() {
        return;
    }
    let mut decoder = Decoder::new(tables);
    while !stop.load(Ordering::Relaxed) {
        let mut waiting = rings.each_ref().map(|(ring, _)| PollFd::new(ring.as_fd(), PollFlags::POLLIN));
        match poll(&mut waiting, LOOK_UP) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => {
                tracing::error!("waiting for the ring buffers: {error}");
                std::thread::sleep(Duration::from_millis(u64::from(LOOK_UP)));
            }
        }
        let (mut any, mut few) = (false, true);
        for (ring, observations) in &rings {
            let mut events = Vec::new();
            decoder.begin();
            let seen = ring.look(BATCH, &mut |bytes| events.extend(decoder.decode(bytes, *observations)));
            if let Some(seen) = seen {
                few &= events.len() < FEW;
                any = true;
                deliver(sender, events);
                ring.release(seen);
            }
        }
        if any && few {
            std::thread::sleep(GATHER);
        }
    }
}

/// The rings, and whether they tell observations.
fn open(tables: &Tables) -> Result<[(Ring<'_>, bool); 2], KernelError> {
    let open = |name: &str| {
        let map = tables.get(name)?;
        Ring::open(map.as_fd(), map.max_entries())
            .map_err(|source| KernelError::Bpf { what: format!("opening the ring buffer {name}"), source })
    };
    Ok([(open("violations")?, false), (open("observations")?, true)])
}

/// Hands events on and waits until they are taken care of.
pub(crate) fn deliver(sender: &SyncSender<Delivery>, events: Vec<Event>) {
    if events.is_empty() {
        return;
    }
    let (taken, waiting) = sync_channel(0);
    if sender.send(Delivery { events, _taken: taken }).is_err() {
        // Nobody listens any more. Returning would take the records out of the ring, where the next listener finds them.
        loop {
            std::thread::park();
        }
    }
    // Nothing is ever sent here: the end of the delivery is the message.
    let _ = waiting.recv();
}

/// Bits of `bz_event.marks` (`BZ_MARK_*` in wire.h): there were more names; the name belongs to no file system.
const CUT: u8 = 1 << 0;
const LOOSE: u8 = 1 << 2;
/// Of the act: early in the start of its unit.
const START: u8 = 1 << 4;

/// Bytes of a record that the kernel makes.
pub const RECORD: usize = size_of::<types::bz_event>();

/// Services by their numbers, as they are now; nothing when they cannot be read.
type Names<'a> = Box<dyn Fn() -> Option<BTreeMap<u32, String>> + 'a>;

/// Makes events of records.
pub struct Decoder<'a> {
    ask: Names<'a>,
    names: BTreeMap<u32, String>,
    places: Places,
    looked: bool,
}

impl<'a> Decoder<'a> {
    fn new(tables: &'a Tables) -> Decoder<'a> {
        let names = || Some(tables.numbers().ok()?.into_iter().map(|(name, number)| (number, name)).collect());
        Decoder::asking(Box::new(names))
    }

    /// One that is told the numbers of services by `ask`.
    pub fn asking(ask: Names<'a>) -> Decoder<'a> {
        Decoder { ask, names: BTreeMap::new(), places: Places::default(), looked: false }
    }

    /// What is decoded from now on was in the ring before: one look at the mounts is enough for all of it.
    pub fn begin(&mut self) {
        self.looked = false;
    }

    /// The event of a record, whatever its bytes are. `None`: it is none, which the log tells.
    pub fn decode(&mut self, bytes: &[u8], observation: bool) -> Option<Event> {
        let Some(event) = value::<types::bz_event>(bytes) else {
            tracing::error!("a record of {} bytes is shorter than a record can be", bytes.len());
            return None;
        };
        if event.why == 6 {
            let unit = value::<types::bz_unit>(&event.path)?;
            return Some(Event::ServiceSeen { service: unit_name(&unit) });
        }
        let act = self.act(&event)?;
        Some(if observation { Event::Observation(act) } else { Event::Violation(act) })
    }

    fn act(&mut self, event: &types::bz_event) -> Option<Act> {
        let object = self.object(event)?;
        Some(Act {
            time: wall_clock(event.time),
            why: why(event.why)?,
            service: self.service(event.service),
            access: Access::from_number(event.access)?,
            verdict: match event.verdict {
                0 => Verdict::Allow,
                1 => Verdict::Audit,
                _ => Verdict::Deny,
            },
            capabilities: event.capabilities,
            rule: (event.rule != 0).then_some(event.rule),
            generation: event.generation,
            object,
            exe: self.path(event.exe_dev, event.exe_magic, names(&event.exe, event.exe_len), event.marks >> 1),
            pid: event.pid,
            uid: event.uid,
            at_start: event.marks & START != 0,
            key: event.key,
        })
    }

    fn object(&mut self, event: &types::bz_event) -> Option<Object> {
        let path = names(&event.path, event.path_len);
        let marks = event.marks;
        Some(match event.object {
            0 => Object::Path(self.path(event.dev, event.magic, path, marks)),
            1 => Object::Destination {
                address: Ipv6Addr::from(event.address).to_canonical(),
                port: event.port,
                protocol: protocol(event.protocol),
            },
            2 => Object::Operation {
                name: policy::operation::name(event.operation),
                path: self.path(event.dev, event.magic, path, marks),
            },
            3 => Object::Cgroup(match String::from_utf8_lossy(path).trim_end_matches('\0') {
                // The root of the hierarchy has no name.
                "" => "/".to_owned(),
                name => name.to_owned(),
            }),
            other => {
                tracing::error!("a record names an object of the unknown kind {other}");
                return None;
            }
        })
    }

    /// `marks` as in `bz_event.marks`: the path's own bits, or the program's moved to their place.
    fn path(&mut self, dev: u64, magic: u64, names: &[u8], marks: u8) -> String {
        if dev == 0 && magic == 0 {
            return String::new();
        }
        if marks & LOOSE != 0 {
            return String::from_utf8_lossy(names).trim_end_matches('\0').to_owned();
        }
        if !std::mem::replace(&mut self.looked, true) {
            self.places.look();
        }
        self.places.host_path(dev, magic, inside(names, marks & CUT != 0))
    }

    fn service(&mut self, number: u32) -> String {
        if !self.names.contains_key(&number)
            && let Some(names) = (self.ask)()
        {
            self.names = names;
        }
        self.names.get(&number).cloned().unwrap_or_else(|| format!("service number {number}"))
    }
}

fn names(bytes: &[u8], len: u16) -> &[u8] {
    bytes.get(..usize::from(len)).unwrap_or(bytes)
}

fn why(number: u8) -> Option<Why> {
    Some(match number {
        0 => Why::Capability,
        1 => Why::Outbound,
        2 => Why::Escape,
        3 => Why::Tamper,
        4 => Why::Program,
        5 => Why::Destination,
        other => {
            tracing::error!("a record gives the unknown reason {other}");
            return None;
        }
    })
}

fn protocol(number: u16) -> String {
    match number {
        // Multipath TCP has a number of its own above the range of IP: to a person it is TCP.
        6 | 262 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        1 => "icmp".to_owned(),
        58 => "icmpv6".to_owned(),
        33 => "dccp".to_owned(),
        132 => "sctp".to_owned(),
        136 => "udplite".to_owned(),
        other => format!("protocol-{other}"),
    }
}

/// The kernel stamps records with the time since boot, suspend included.
fn wall_clock(boot_ns: u64) -> SystemTime {
    let now = SystemTime::now();
    let Ok(since_boot) = clock_gettime(ClockId::CLOCK_BOOTTIME) else { return now };
    let age = Duration::from(since_boot).saturating_sub(Duration::from_nanos(boot_ns));
    now.checked_sub(age).unwrap_or(now)
}
