//! The ring thread: takes records out of the rings and hands them on as [`Event`]s.

use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter};
use std::net::Ipv6Addr;
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use compact_str::{CompactString, format_compact};
use libbpf_rs::MapCore as _;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use policy::access::Access;
use policy::decide::Verdict;

use crate::acting::{WallClock, acting, inode};
use crate::event::{Act, Acting, Delivery, Event, Object, Sequence, Why};
pub use crate::gaps::Ring;
use crate::gaps::Seens;
use crate::kernel::KernelError;
use crate::paths::{Places, inside};
use crate::ring;
use crate::skeleton::bartizan::types;
use crate::tables::{Tables, unit_name};
use crate::wire::{grown, value, viewed};

/// How often the rings are looked at although the kernel told of nothing, in milliseconds.
const LOOK_UP: u16 = 10_000;
/// Before the kernel is asked again, when it did not say what there is.
const AGAIN: Duration = Duration::from_millis(200);
/// Events that are handed on at once.
pub(crate) const BATCH: usize = 256;
/// Each delivery wakes several threads, which costs more than many events do. After one that was not full the next ones are therefore
/// left to gather for so many steps, unless there is enough before.
const STEP: Duration = Duration::from_millis(10);
const STEPS: u32 = 5;
/// The part of a ring that is enough: what comes in a step then finds room in the rest.
pub(crate) const PART: u64 = 4;

/// The running thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Stream {
    /// The thread is woken by its end.
    _stays: PipeWriter,
    seens: Seens,
}

impl Stream {
    /// Starts the thread on its own handles of the maps. The receiver ends when the thread does.
    pub fn start(tables: Tables) -> Result<(Stream, Receiver<Delivery>), KernelError> {
        let failed = |source| KernelError::Bpf { what: "starting the ring thread".to_owned(), source };
        let (end, stays) = std::io::pipe().map_err(failed)?;
        let (sender, receiver) = sync_channel(0);
        let (ready, started) = sync_channel(1);
        let seens = Seens::default();
        let noting = seens.clone();
        std::thread::Builder::new()
            .name("rings".to_owned())
            .spawn(move || run(&tables, noting, &sender, &end, &ready))
            .map_err(failed)?;
        match started.recv() {
            Ok(Ok(())) => Ok((Stream { _stays: stays, seens }, receiver)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(KernelError::NotHeld("the ring thread ended before it was ready".to_owned())),
        }
    }

    /// Numbers of the events that have come.
    pub(crate) fn seens(&self) -> &Seens {
        &self.seens
    }
}

type Ready = SyncSender<Result<(), KernelError>>;

fn run(tables: &Tables, seens: Seens, sender: &SyncSender<Delivery>, end: &PipeReader, ready: &Ready) {
    let mut rings = match open(tables) {
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
    let names = || Some(tables.numbers().ok()?.into_iter().map(|(name, number)| (number, name)).collect());
    let mut decoder = Decoder { seens, ..Decoder::new(names) };
    while stays(&rings, end) {
        let taken = rings.each_mut().map(|(ring, which)| take(ring, *which, &mut decoder, sender));
        if taken.iter().sum::<usize>() > 0 && taken.iter().all(|taken| *taken < BATCH) {
            gather(|| rings.iter().any(|(ring, _)| ring.waiting() > ring.size() / PART));
        }
    }
}

/// Leaves events time to come.
pub(crate) fn gather(enough: impl Fn() -> bool) {
    for _ in 0..STEPS {
        std::thread::sleep(STEP);
        if enough() {
            return;
        }
    }
}

/// Hands on what a ring holds, a batch at most; how many events that were.
fn take<N: Fn() -> Option<Names>>(
    ring: &mut ring::Ring<'_>,
    which: Ring,
    decoder: &mut Decoder<N>,
    sender: &SyncSender<Delivery>,
) -> usize {
    let mut events = decoder.begin();
    match ring.look(BATCH, &mut |bytes| events.extend(decoder.decode(bytes, which))) {
        Ok(None) => 0,
        Ok(Some(seen)) => {
            let taken = events.len();
            deliver(sender, events);
            ring.release(seen);
            taken
        }
        Err(error) => {
            // What was looked at is still there.
            tracing::error!("reading a ring buffer: {error}");
            std::thread::sleep(AGAIN);
            0
        }
    }
}

/// Waits until there is something in a ring. `false`: the thread is to end.
fn stays(rings: &[(ring::Ring<'_>, Ring); 2], end: &PipeReader) -> bool {
    let [first, second] = rings.each_ref().map(|(ring, _)| PollFd::new(ring.as_fd(), PollFlags::POLLIN));
    let mut waiting = [PollFd::new(end.as_fd(), PollFlags::empty()), first, second];
    match poll(&mut waiting, LOOK_UP) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => {
            tracing::error!("waiting for the ring buffers: {error}");
            std::thread::sleep(AGAIN);
        }
    }
    // The other end of the pipe is gone.
    let [end, ..] = &waiting;
    !end.any().unwrap_or(false)
}

fn open(tables: &Tables) -> Result<[(ring::Ring<'_>, Ring); 2], KernelError> {
    let open = |name: &str| {
        let map = tables.get(name)?;
        ring::Ring::open(map.as_fd(), map.max_entries())
            .map_err(|source| KernelError::Bpf { what: format!("opening the ring buffer {name}"), source })
    };
    Ok([(open("violations")?, Ring::Violations), (open("observations")?, Ring::Observations)])
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

/// Bytes of an event before version 2, without what ends it for the sake of its alignment: nothing shorter is read.
pub const VERSION_1: usize = std::mem::offset_of!(types::bz_event, login_uid);
/// Bytes of a record that the kernel makes.
pub const RECORD: usize = size_of::<types::bz_event>();

/// Services by their numbers.
pub type Names = BTreeMap<u32, String>;

/// Makes events of the bytes that a ring holds. `numbers` tells the numbers of services, as they are now; nothing when they
/// cannot be read.
pub struct Decoder<N> {
    numbers: N,
    seens: Seens,
    names: Names,
    places: Places,
    looked: bool,
    /// Events since it began.
    came: usize,
    /// Of the first record since it began.
    clock: Option<WallClock>,
}

impl<N: Fn() -> Option<Names>> Decoder<N> {
    /// One that has seen nothing yet.
    pub fn new(numbers: N) -> Decoder<N> {
        let (seens, names, places) = (Seens::default(), BTreeMap::new(), Places::default());
        Decoder { numbers, seens, names, places, looked: false, came: 0, clock: None }
    }

    /// What is decoded from now on was in the ring before: one look at the mounts and at the clock is enough for all of it. Room
    /// for as many events as there were last time.
    pub(crate) fn begin(&mut self) -> Vec<Event> {
        self.looked = false;
        self.clock = None;
        Vec::with_capacity(std::mem::take(&mut self.came))
    }

    /// The event of a record of this ring, whatever its bytes are. `None`: it is none, which the log tells.
    pub fn decode(&mut self, bytes: &[u8], ring: Ring) -> Option<Event> {
        if let Some(event) = viewed::<types::bz_event>(bytes) {
            return self.event(event, true, ring);
        }
        // The ring may hold what the programs of an earlier build told.
        let Some(event) = grown::<types::bz_event>(bytes, VERSION_1) else {
            tracing::error!("a record of {} bytes is shorter than a record can be", bytes.len());
            return None;
        };
        self.event(&event, bytes.len() >= RECORD, ring)
    }

    /// `whole`: the event tells more about the process.
    fn event(&mut self, event: &types::bz_event, whole: bool, ring: Ring) -> Option<Event> {
        if whole {
            self.seens.came((ring, event.cpu), event.sequence, event.lost);
        }
        self.came += 1;
        if event.why == 6 {
            let unit = value::<types::bz_unit>(&event.path)?;
            return Some(Event::ServiceSeen { service: unit_name(&unit) });
        }
        let numbered = whole && event.sequence != 0 && ring == Ring::Violations;
        let mut act = self.act(event, whole)?;
        act.sequence = numbered.then_some(Sequence { cpu: event.cpu, number: event.sequence });
        Some(match ring {
            Ring::Observations => Event::Observation(act),
            Ring::Violations => Event::Violation(act),
        })
    }

    fn act(&mut self, event: &types::bz_event, whole: bool) -> Option<Act> {
        let object = self.object(event)?;
        let clock = *self.clock.get_or_insert_with(WallClock::now);
        Some(Act {
            time: clock.at(event.time),
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
            inode: inode(event),
            acting: if whole { acting(event, &clock) } else { Acting::default() },
            sequence: None,
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
                "" => "/".into(),
                name => name.into(),
            }),
            other => {
                tracing::error!("a record names an object of the unknown kind {other}");
                return None;
            }
        })
    }

    /// `marks` as in `bz_event.marks`: the path's own bits, or the program's moved to their place.
    fn path(&mut self, dev: u64, magic: u64, names: &[u8], marks: u8) -> CompactString {
        if dev == 0 && magic == 0 {
            return CompactString::default();
        }
        if marks & LOOSE != 0 {
            return String::from_utf8_lossy(names).trim_end_matches('\0').into();
        }
        if !std::mem::replace(&mut self.looked, true) {
            self.places.look();
        }
        self.places.host_path(dev, magic, inside(names, marks & CUT != 0))
    }

    fn service(&mut self, number: u32) -> CompactString {
        if !self.names.contains_key(&number)
            && let Some(names) = (self.numbers)()
        {
            self.names = names;
        }
        let known = self.names.get(&number);
        known.map_or_else(|| format_compact!("service number {number}"), CompactString::from)
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

fn protocol(number: u16) -> CompactString {
    CompactString::const_new(match number {
        // Multipath TCP has a number of its own above the range of IP: to a person it is TCP.
        6 | 262 => "tcp",
        17 => "udp",
        1 => "icmp",
        58 => "icmpv6",
        33 => "dccp",
        132 => "sctp",
        136 => "udplite",
        other => return format_compact!("protocol-{other}"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wire::bytes;

    #[test]
    fn an_event_of_an_earlier_build_is_read_as_far_as_it_goes() {
        let event = types::bz_event { service: 7, pid: 9, login_uid: 5, sequence: 3, ..Default::default() };
        let whole = bytes(&event);
        // As long as version 1 was, and with its end that means nothing.
        let earlier = whole.get(..2160).unwrap();
        let read = grown::<types::bz_event>(earlier, VERSION_1).unwrap();
        assert_eq!((read.service, read.pid, read.sequence), (7, 9, 0));
        assert_eq!(VERSION_1.next_multiple_of(8), earlier.len());
        assert!(grown::<types::bz_event>(whole.get(..VERSION_1 - 1).unwrap(), VERSION_1).is_none());
        assert_eq!(grown::<types::bz_event>(&whole, VERSION_1).unwrap().sequence, 3);
        assert_eq!(whole.len(), 3232, "fields are added at the end only, and bpf/src/wire.rs wants no gaps");
    }
}
