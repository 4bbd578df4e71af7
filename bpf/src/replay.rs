//! Events as bytes of the wire's own type, decoded and handed on as those of the kernel's rings are: for measuring what
//! user space spends on them, see supervisor/examples/replay.rs.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use nix::time::{ClockId, clock_gettime};

use crate::event::Delivery;
use crate::skeleton::bartizan::types::bz_event;
use crate::stream::{BATCH, Decoder, FEW, GATHER, deliver};
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
}

/// Bytes of an event that changes a little each time it is told.
#[derive(Clone)]
pub struct Recorded {
    event: Box<bz_event>,
    numbered: bool,
}

impl std::fmt::Debug for Recorded {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "an event of service {}", self.event.service)
    }
}

/// Digits at the start of a numbered object's name.
const DIGITS: usize = 8;

impl Recorded {
    /// An event like this, on the file system `dev` (of the kernel, 20 bits for the minor number). `numbered`: each time it
    /// is told of another object, whose name begins with a number.
    pub fn new(sample: Sample, dev: u64, numbered: bool) -> Recorded {
        let mut event = Box::<bz_event>::default();
        event.service = sample.service;
        (event.why, event.object, event.access, event.verdict) =
            (sample.why, sample.object, sample.access, sample.verdict);
        (event.capabilities, event.operation) = (sample.capabilities, sample.operation);
        // EXT4_SUPER_MAGIC.
        (event.dev, event.magic, event.exe_dev, event.exe_magic) = (dev, 0xef53, dev, 0xef53);
        (event.generation, event.uid) = (1, 33);
        let (last, port) = sample.destination;
        event.address = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, last];
        (event.port, event.protocol) = (port, 6);
        let numbered = numbered && sample.object != 1 && !sample.path.is_empty();
        let path = if numbered { format!("{}{:DIGITS$}", sample.path, "") } else { sample.path.to_owned() };
        event.path_len = fill(&mut event.path, &path);
        event.exe_len = fill(&mut event.exe, sample.exe);
        Recorded { event, numbered }
    }

    /// Its bytes as the event with this number of all.
    pub fn told(&mut self, number: u64) -> Vec<u8> {
        let event = &mut self.event;
        event.time = clock_gettime(ClockId::CLOCK_BOOTTIME)
            .map_or(0, |time| u64::try_from(std::time::Duration::from(time).as_nanos()).unwrap_or(0));
        event.key = number + 1;
        event.pid = 1_000 + u32::try_from(number % 30_000).unwrap_or(0);
        if self.numbered {
            // The leaf is the first name, and its number ends it.
            let end = event.path.iter().position(|byte| *byte == 0).unwrap_or(DIGITS);
            let digits = event.path.get_mut(end.saturating_sub(DIGITS)..end).unwrap_or_default();
            let mut rest = number;
            for digit in digits.iter_mut().rev() {
                (*digit, rest) = (b'0' + u8::try_from(rest % 10).unwrap_or(0), rest / 10);
            }
        }
        bytes(event.as_ref())
    }
}

/// Writes the names of a path from the leaf to the root, each with its NUL; how many bytes that is.
fn fill(to: &mut [u8], path: &str) -> u16 {
    let mut length = 0;
    for name in path.split('/').rev().filter(|name| !name.is_empty()) {
        for byte in name.bytes().chain([0]) {
            if let Some(place) = to.get_mut(length) {
                *place = byte;
                length += 1;
            }
        }
    }
    u16::try_from(length).unwrap_or(0)
}

/// Hands on what `next` gives, as a ring's thread does, in batches of at most as many as that; an empty one ends it.
pub fn start(
    services: BTreeMap<u32, String>,
    mut next: impl FnMut(usize) -> Vec<Vec<u8>> + Send + 'static,
) -> io::Result<(JoinHandle<()>, Receiver<Delivery>)> {
    let (sender, receiver) = sync_channel(0);
    let thread = std::thread::Builder::new().name("rings".to_owned()).spawn(move || {
        let mut decoder = Decoder::asking(Box::new(|| Some(services.clone())));
        loop {
            let records = next(BATCH);
            if records.is_empty() {
                return;
            }
            decoder.begin();
            deliver(&sender, records.iter().filter_map(|one| decoder.decode(one, false)).collect());
            if records.len() < FEW {
                std::thread::sleep(GATHER);
            }
        }
    })?;
    Ok((thread, receiver))
}
