#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "tests/web.rs"]
mod web;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;

use super::*;
use crate::record::Kind;
use crate::trail::{Bounds, Trail};

/// A trail, and what was told as lost.
struct Place {
    directory: tempfile::TempDir,
    trail: Trail,
    lost: Sender<u64>,
    told: Receiver<u64>,
}

impl Place {
    fn new() -> Place {
        Place::within(Bounds::default())
    }

    fn within(bounds: Bounds) -> Place {
        let directory = tempfile::tempdir().unwrap();
        let trail = Trail::open(directory.path().to_owned(), "1-").unwrap().bounded(bounds);
        let (lost, told) = channel();
        Place { directory, trail, lost, told }
    }

    fn append(&mut self, count: usize) -> Vec<Arc<Vec<Written>>> {
        let one = |number| Record::plain(Kind::Capability, format!("number {number}"));
        (0..count).map(|number| Arc::new(vec![self.trail.append(one(number), None, 0).unwrap()])).collect()
    }

    fn start(&self, name: &str, sink: impl Sink + 'static, backlog: u64) -> Sinks {
        let lost = self.lost.clone();
        let tell: Tell = Arc::new(move |record| lost.send(record.count).is_ok());
        let running = start(name, Box::new(sink), backlog, self.directory.path(), 0, tell).unwrap();
        Sinks(vec![(name.to_owned(), running)])
    }

    fn sent(&mut self, to: &Sinks, count: usize) {
        self.append(count).iter().for_each(|record| to.put(record, false));
    }

    fn all_lost(&self) -> u64 {
        self.told.try_iter().sum()
    }
}

/// Takes ids unless it is down.
#[derive(Clone, Default)]
struct Scripted {
    taken: Arc<Mutex<Vec<u64>>>,
    down: Arc<AtomicBool>,
    slow: Duration,
}

impl Scripted {
    fn down(&self, down: bool) {
        self.down.store(down, Ordering::Release);
    }

    fn taken(&self) -> Vec<u64> {
        self.taken.lock().unwrap().clone()
    }

    fn reaches(&self, id: u64) -> bool {
        wait(|| self.taken().last() == Some(&id))
    }
}

impl Sink for Scripted {
    fn deliver(&mut self, records: &[&Written]) -> Result<u64, Failure> {
        std::thread::sleep(self.slow);
        for (taken, record) in records.iter().enumerate() {
            if self.down.load(Ordering::Acquire) {
                return Err(Failure { taken, why: "it is down".to_owned() });
            }
            self.taken.lock().unwrap().push(record.id);
        }
        Ok(0)
    }
}

fn wait(done: impl Fn() -> bool) -> bool {
    (0..2400).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        done()
    })
}

fn ids(from: u64, to: u64) -> Vec<u64> {
    (from..=to).collect()
}

#[test]
fn a_sink_that_was_down_gets_all_in_order_and_once() {
    let (mut place, sink) = (Place::new(), Scripted::default());
    let sinks = place.start("a", sink.clone(), 100_000);
    place.sent(&sinks, 10);
    assert!(sink.reaches(10));
    sink.down(true);
    place.sent(&sinks, 3 * QUEUE);
    sink.down(false);
    let last = place.trail.last();
    assert!(sink.reaches(last), "{:?}", sink.taken().last());
    assert_eq!((sink.taken(), place.all_lost()), (ids(1, last), 0));
}

#[test]
fn what_the_backlog_does_not_hold_is_counted_and_told() {
    let (mut place, sink) = (Place::new(), Scripted::default());
    sink.down(true);
    let sinks = place.start("a", sink.clone(), 100);
    place.sent(&sinks, 1000);
    std::thread::sleep(Duration::from_millis(100));
    sink.down(false);
    assert!(sink.reaches(1000));
    let lost = place.told.recv_timeout(Duration::from_secs(5)).unwrap() + place.all_lost();
    assert_eq!(lost + sink.taken().len() as u64, 1000);
    assert_eq!(sink.taken(), ids(lost + 1, 1000), "the newest are delivered");
}

#[test]
fn a_slow_sink_holds_back_nobody() {
    let (mut place, fast) = (Place::new(), Scripted::default());
    let slow = Scripted { slow: Duration::from_millis(400), ..Scripted::default() };
    let mut sinks = place.start("slow", slow.clone(), 100_000);
    sinks.0.append(&mut place.start("fast", fast.clone(), 100_000).0);
    let records = place.append(5000);
    let started = Instant::now();
    records.iter().for_each(|record| sinks.put(record, false));
    assert!(started.elapsed() < Duration::from_secs(2), "putting never waits: {:?}", started.elapsed());
    assert!(fast.reaches(5000));
    assert!(slow.taken().len() < 5000);
    assert!(slow.reaches(5000), "and it gets all in its time");
    assert_eq!(slow.taken(), ids(1, 5000));
}

#[test]
fn a_start_goes_on_where_the_last_one_was_and_a_broken_cursor_loses_nothing() {
    let (mut place, sink) = (Place::new(), Scripted::default());
    let sinks = place.start("a", sink.clone(), 100_000);
    place.sent(&sinks, 10);
    assert!(sink.reaches(10));
    drop(sinks);
    place.append(5);
    let sinks = place.start("a", sink.clone(), 100_000);
    place.sent(&sinks, 1);
    assert!(sink.reaches(16));
    drop(sinks);
    assert_eq!(sink.taken(), ids(1, 16));
    let mode = fs::metadata(place.directory.path().join("sinks")).unwrap().permissions().mode();
    assert_eq!(mode & 0o027, 0, "{mode:o}");
    // As a crash may leave it.
    fs::write(cursor::path(place.directory.path(), "a"), "{\"aft").unwrap();
    sink.taken.lock().unwrap().clear();
    let sinks = place.start("a", sink.clone(), 100_000);
    place.sent(&sinks, 1);
    assert!(sink.reaches(17));
    assert_eq!((sink.taken(), place.all_lost()), (ids(1, 17), 0));
}

#[test]
fn what_the_trail_deleted_before_it_was_delivered_is_told() {
    let small = Bounds { segment: 4_000, total: 6_000, ..Bounds::default() };
    let (mut place, sink) = (Place::within(small), Scripted::default());
    sink.down(true);
    let sinks = place.start("a", sink.clone(), 100_000);
    place.sent(&sinks, 400);
    assert!(wait(|| place
        .directory
        .path()
        .read_dir()
        .unwrap()
        .flatten()
        .filter(|one| one.path().extension().is_some_and(|end| end == "jsonl"))
        .count()
        == 1));
    // It fails before anything is delivered to it from the queue.
    assert!(wait(|| !sinks.now()[0].up));
    place.trail.tend().unwrap();
    sinks.put(&Arc::new(place.trail.take_news()), false);
    sink.down(false);
    let last = place.trail.last();
    assert!(sink.reaches(last));
    let lost = place.told.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(lost > 100, "{lost}");
    assert_eq!(sink.taken(), ids(lost + 1, last));
}

#[test]
fn what_the_journal_was_told_already_is_not_told_twice() {
    let (mut place, sink) = (Place::new(), Scripted::default());
    let sinks = place.start(JOURNAL, sink.clone(), 100_000);
    let records = place.append(3);
    records.iter().for_each(|record| sinks.put(record, record[0].id == 2));
    assert!(sink.reaches(3));
    assert_eq!(sink.taken(), [1, 3]);
}

#[test]
fn syslog_over_udp_is_a_datagram_for_a_record() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut place = Place::new();
    let sinks = place.start("a", syslog::Udp::new(&receiver.local_addr().unwrap().to_string()), 100_000);
    place.sent(&sinks, 20);
    for id in 1..=20 {
        let mut datagram = [0; 4096];
        let size = receiver.recv(&mut datagram).unwrap();
        let text = String::from_utf8(datagram[..size].to_vec()).unwrap();
        assert!(text.starts_with("<109>1 20") && text.contains(&format!("[bartizan@32473 id=\"{id}\" ")), "{text}");
    }
}

/// Reads frames with octet counting until the connection ends or there are enough.
fn frames(stream: TcpStream, most: usize) -> Vec<String> {
    let (mut from, mut found) = (BufReader::new(stream), Vec::new());
    while found.len() < most {
        let mut size = Vec::new();
        if from.read_until(b' ', &mut size).unwrap() == 0 {
            break;
        }
        let size: usize = String::from_utf8(size).unwrap().trim_end().parse().unwrap();
        let mut text = vec![0; size];
        from.read_exact(&mut text).unwrap();
        found.push(String::from_utf8(text).unwrap());
    }
    found
}

#[test]
fn syslog_over_tcp_counts_octets_and_comes_back() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = receiver.local_addr().unwrap();
    let mut place = Place::new();
    let sinks = place.start("a", syslog::Tcp::new(&address.to_string()), 100_000);
    place.sent(&sinks, 10);
    let first = frames(receiver.accept().unwrap().0, 10);
    assert!(first.len() == 10 && first[9].contains(" id=\"10\" "), "{first:?}");
    drop(receiver);
    std::thread::sleep(Duration::from_millis(100));
    place.sent(&sinks, 500);
    std::thread::sleep(Duration::from_millis(500));
    let receiver = TcpListener::bind(address).unwrap();
    let second = frames(receiver.accept().unwrap().0, 500);
    assert!(second[0].contains(" id=\"11\" ") && second[499].contains(" id=\"510\" "), "{:?}", second[0]);
}
