#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{Receiver, channel};

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::clock;
use crate::messages::FindRecords;
use crate::record::{Kind, Record};
use crate::selection::{KINDS, Selection};
use crate::trail::Trail;

struct Place {
    directory: tempfile::TempDir,
    trail: Trail,
}

impl Place {
    fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let trail = Trail::open(directory.path().to_owned(), "1-").unwrap();
        Place { directory, trail }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(FILE)
    }

    fn store(&self, bounds: Bounds) -> (Store, Receiver<String>) {
        let (tell, told) = channel();
        let tell = move |message| drop(tell.send(message));
        (Store::open(self.path(), self.directory.path().to_owned(), bounds, tell).unwrap(), told)
    }

    fn append(&mut self, record: Record) -> Arc<Vec<Written>> {
        Arc::new(vec![self.trail.append(record, None, 0).unwrap()])
    }

    fn ids(&self, reader: &Reader, find: &FindRecords) -> Vec<u64> {
        reader.find(find, self.trail.last()).unwrap().iter().map(|record| record.id).collect()
    }
}

fn all() -> FindRecords {
    FindRecords { wanted: Selection::default(), after: 0, limit: usize::MAX, newest: false }
}

fn act(service: &str, capabilities: &[&str]) -> Record {
    Record {
        service: Some(service.to_owned()),
        capabilities: capabilities.iter().map(|name| (*name).to_owned()).collect(),
        verdict: Some("deny".to_owned()),
        ..Record::plain(Kind::Capability, "an act".to_owned())
    }
}

/// Whether the store itself answers: its file has everything up to a record.
fn is_whole(reader: &Reader, last: u64) -> bool {
    (0..2400).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        reader.shared.reaches(last, Duration::from_millis(10))
    })
}

#[test]
fn what_the_queue_did_not_take_comes_from_the_trail() {
    let mut place = Place::new();
    place.append(act("web", &["SHELL"]));
    let (store, _) = place.store(Bounds::default());
    let reader = store.reader();
    let lost = place.append(act("web", &["USERS"]));
    store.put(&place.append(act("mail", &["SHELL", "USERS"])));
    assert!(is_whole(&reader, 3));
    assert_eq!(lost[0].id, 2);
    for entry in place.directory.path().read_dir().unwrap() {
        let (path, mode) = entry.map(|entry| (entry.path(), entry.metadata().unwrap().permissions().mode())).unwrap();
        assert_eq!(mode & 0o027, 0, "{} is not for others: {mode:o}", path.display());
    }
    assert_eq!(place.ids(&reader, &all()), [1, 2, 3]);
    assert_eq!(reader.shared.awaited.load(Ordering::Acquire), 0, "nobody waits any more");
    let users = Selection { capabilities: vec!["USERS".to_owned()], ..Selection::default() };
    assert_eq!(place.ids(&reader, &FindRecords { wanted: users.clone(), ..all() }), [2, 3]);
    assert_eq!(place.ids(&reader, &FindRecords { wanted: users, newest: true, limit: 1, ..all() }), [3]);
    let two = Selection { capabilities: vec!["USERS".to_owned(), "SHELL".to_owned()], ..Selection::default() };
    assert_eq!(place.ids(&reader, &FindRecords { wanted: two, limit: 2, ..all() }), [1, 2], "no record comes twice");
    drop(store);
    assert_eq!(newest(&place.path()), 3);
}

#[test]
fn a_trail_and_a_store_of_an_earlier_version_are_read() {
    let directory = tempfile::tempdir().unwrap();
    // As version 0.1 wrote it before records told of processes.
    let record = r#""time":"2026-11-27T18:22:02.120Z","id":1,"kind":"capability","service":"web","capability":"SHELL","access":"execute","verdict":"deny","path":"/usr/bin/dash","exe":"/usr/sbin/web","pid":3,"uid":0,"rule":null,"message":"one","destination":null,"capabilities":["SHELL"],"count":1,"repeats":null"#;
    let line = format!("{{{record},\"key\":\"1-k\",\"previous\":\"{}\"}}\n", "0".repeat(64));
    fs::write(directory.path().join("audit-1-20261127.jsonl"), line).unwrap();
    let trail = Trail::open(directory.path().to_owned(), "1-").unwrap();
    let mut place = Place { directory, trail };
    assert!(place.trail.take_news().is_empty() && place.trail.tally.knows("1-k"), "it is part of the chain");
    assert_eq!(place.append(act("web", &["USERS"]))[0].id, 2);
    let report = crate::trail::verify::verify(place.directory.path(), None).unwrap();
    assert!(report.findings.is_empty(), "{report:?}");
    let (store, _) = place.store(Bounds::default());
    let reader = store.reader();
    assert!(is_whole(&reader, 2));
    let base = rusqlite::Connection::open(place.path()).unwrap();
    let entry = loose::entries(&base).unwrap()[0];
    loose::put(&base, &[block::Line { entry, text: format!("{{{record}}}").as_bytes() }]).unwrap();
    let found = reader.find(&all(), 2).unwrap();
    assert_eq!((found[0].pid, &found[0].command, found[0].techniques.len()), (Some(3), &None, 0));
    assert_eq!(found.len(), 2);
}

#[test]
fn a_broken_store_is_set_aside_told_and_made_anew() {
    let mut place = Place::new();
    (0..50).for_each(|_| drop(place.append(act("web", &["SHELL"]))));
    let (store, _) = place.store(Bounds::default());
    assert!(is_whole(&store.reader(), 50));
    drop(store);
    let size = fs::metadata(place.path()).unwrap().len();
    for damage in [
        "not a data base at all".repeat(100).into_bytes(),
        fs::read(place.path()).unwrap()[..size as usize / 2].to_vec(),
    ] {
        fs::write(place.path(), damage).unwrap();
        assert_eq!(
            place.ids(&Reader::new(place.path(), place.directory.path().into(), Arc::default()), &all()).len(),
            50
        );
        let (store, told) = place.store(Bounds::default());
        let reader = store.reader();
        assert!(is_whole(&reader, 50));
        assert!(told.recv().unwrap().contains("set aside as store.sqlite.broken"));
        assert_eq!(place.ids(&reader, &all()).len(), 50);
        assert!(place.directory.path().join("store.sqlite.broken").exists());
    }
}

#[test]
fn a_store_that_cannot_be_written_leaves_the_answers_to_the_trail() {
    let mut place = Place::new();
    fs::create_dir(place.path()).unwrap();
    let (store, _) = place.store(Bounds::default());
    store.put(&place.append(act("web", &["SHELL"])));
    assert_eq!(place.ids(&store.reader(), &all()), [1]);
    fs::remove_dir(place.path()).unwrap();
    assert!(is_whole(&store.reader(), 1), "and it is made when that is possible");
}

#[test]
fn what_the_bounds_exclude_is_found_in_the_trail() {
    let mut place = Place::new();
    for number in 0..60_000 {
        let time =
            if number < 30_000 { "2020-01-01T00:00:00.000Z".to_owned() } else { clock::rfc3339(clock::now_ms()) };
        let service = if number % 10_000 == 0 { "rare" } else { "web" };
        place.append(Record { time, ..act(service, &["SHELL"]) });
    }
    let (store, _) = place.store(Bounds::default());
    let reader = store.reader();
    assert!(is_whole(&reader, 60_000));
    let base = || schema::open_to_read(&place.path()).unwrap();
    assert!(
        (0..2400).any(|_| {
            std::thread::sleep(Duration::from_millis(25));
            schema::floor(&base()).unwrap() == 20_000
        }),
        "whole chapters go, and only those that are all too old: {:?}",
        schema::floor(&base())
    );
    let rare = Selection { service: Some("rare".to_owned()), ..Selection::default() };
    let find = FindRecords { wanted: rare, ..all() };
    assert_eq!(place.ids(&reader, &find), [1, 10_001, 20_001, 30_001, 40_001, 50_001]);
    assert_eq!(
        place.ids(&reader, &FindRecords { newest: true, limit: 5, ..find.clone() }),
        [10_001, 20_001, 30_001, 40_001, 50_001]
    );
    assert_eq!(place.ids(&reader, &FindRecords { limit: 2, after: 5, ..find }), [10_001, 20_001]);
}

fn record() -> impl Strategy<Value = Record> {
    let names = prop::sample::subsequence(vec!["SHELL", "USERS", "NET"], 0..3);
    let service = prop::option::of(prop::sample::select(vec!["web", "mail"]));
    let verdict = prop::option::of(prop::sample::select(vec!["deny", "audit"]));
    // A clock that is set back and forth.
    (names, service, verdict, 0..KINDS.len(), 0..10_000_i64).prop_map(|(names, service, verdict, kind, time)| Record {
        time: clock::rfc3339(time * 1000),
        service: service.map(str::to_owned),
        capabilities: names.into_iter().map(str::to_owned).collect(),
        verdict: verdict.map(str::to_owned),
        ..Record::plain(KINDS[kind].1, "one".to_owned())
    })
}

fn find() -> impl Strategy<Value = FindRecords> {
    let time = || prop::option::of((0..10_000_i64).prop_map(|time| Timestamp::from_second(time).unwrap()));
    let selection = (
        prop::option::of(prop::sample::select(vec!["web", "mail", "none"])),
        prop::sample::subsequence(vec!["SHELL", "USERS", "NET"], 0..3),
        prop::option::of(prop::sample::select(vec!["deny", "audit"])),
        prop::sample::subsequence(KINDS.to_vec(), 0..3),
        time(),
        time(),
    );
    (selection, 0..60_u64, 1..60_usize, any::<bool>()).prop_map(
        |((service, capabilities, verdict, kinds, since, until), after, limit, newest)| {
            let wanted = Selection {
                service: service.map(str::to_owned),
                capabilities: capabilities.into_iter().map(str::to_owned).collect(),
                verdict: verdict.map(str::to_owned),
                kinds: kinds.into_iter().map(|(_, kind)| kind).collect(),
                since,
                until,
            };
            FindRecords { wanted, after, limit, newest }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_store_answers_as_the_trail_does(
        records in prop::collection::vec(record(), 1..60),
        finds in prop::collection::vec(find(), 30),
    ) {
        let mut place = Place::new();
        let count = records.len() as u64;
        records.into_iter().for_each(|record| drop(place.append(record)));
        let (store, _) = place.store(Bounds::default());
        prop_assert!(is_whole(&store.reader(), count));
        let trail = Reader::new(place.path(), place.directory.path().into(), Arc::default());
        for find in finds {
            let by_store = store.reader().ask_store(&find).unwrap().1;
            prop_assert_eq!(by_store, trail.find(&find, count).unwrap(), "{:?}", find);
        }
    }
}
