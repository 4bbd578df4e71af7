#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{Receiver, channel};

use jiff::Timestamp;
use proptest::prelude::*;

use super::classes::Classes;
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
        service: Some(service.into()),
        capabilities: capabilities.iter().map(|name| (*name).into()).collect(),
        verdict: Some("deny".into()),
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
    assert!(place.trail.take_news().is_empty() && place.trail.tally.knows(&"1-k".into()), "it is part of the chain");
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

/// A store of many records, in all of its tables, that is closed.
fn large() -> Place {
    let mut place = Place::new();
    for number in 0..12_300 {
        place.append(act(if number % 3_000 == 7 { "rare" } else { "web" }, &["SHELL"]));
    }
    let (store, _) = place.store(Bounds::default());
    assert!(is_whole(&store.reader(), 12_300));
    drop(store);
    let base = schema::open_to_read(&place.path()).unwrap();
    for table in ["loose", "blocks", "chapters", "recent", "spans", "held", "classes"] {
        let is_used = base.query_row(&format!("SELECT EXISTS (SELECT 1 FROM {table})"), [], |row| row.get(0));
        // The trail is read in pieces that are large enough for chapters, but the last may be too small.
        assert!(is_used == Ok(true) || table == "loose", "{table}");
    }
    place
}

#[test]
fn damage_that_a_reader_finds_leads_to_another_store() {
    let place = large();
    let whole = fs::read(place.path()).unwrap();
    let middle = "(SELECT first FROM blocks WHERE first < 5000 ORDER BY first DESC LIMIT 1)";
    for damage in [
        format!(
            "UPDATE blocks SET records = CAST(replace(CAST(records AS TEXT), 'an act', 'no act') AS BLOB) WHERE first = {middle}"
        ),
        format!("UPDATE blocks SET records = x'' WHERE first = {middle}"),
        format!("DELETE FROM blocks WHERE first = {middle}"),
        format!("UPDATE blocks SET records = (SELECT records FROM blocks WHERE first = 1) WHERE first = {middle}"),
        "UPDATE held SET entries = zeroblob(8)".to_owned(),
        "UPDATE held SET entries = (SELECT entries FROM held ORDER BY class DESC LIMIT 1)".to_owned(),
    ] {
        fs::write(place.path(), &whole).unwrap();
        let base = rusqlite::Connection::open(place.path()).unwrap();
        assert!(base.execute(&damage, []).unwrap() > 0, "{damage}");
        drop(base);
        let (store, told) = place.store(Bounds::default());
        let reader = store.reader();
        assert!(is_whole(&reader, 12_300), "opening does not look at all");
        let fresh = FindRecords { newest: true, limit: 3, ..all() };
        assert_eq!(place.ids(&reader, &fresh), [12_298, 12_299, 12_300]);
        assert!(told.try_recv().is_err(), "nobody has seen it yet: {damage}");
        let web = Selection { service: Some("web".to_owned()), ..Selection::default() };
        let find = FindRecords { wanted: web, limit: 10_000, ..all() };
        let found = place.ids(&reader, &find);
        assert_eq!((found.len(), found[4_996], *found.last().unwrap()), (10_000, 4_999, 10_004), "{damage}");
        let said = told.recv_timeout(Duration::from_secs(20)).unwrap_or_default();
        assert!(said.contains("set aside"), "soon: {damage}: {said}");
        assert!(is_whole(&reader, 12_300));
        assert_eq!(reader.ask_store(&find).unwrap().1.len(), 10_000);
        drop(store);
        assert!(told.recv().is_err(), "it is told once: {damage}");
    }
}

#[test]
fn damage_that_opening_finds_leads_to_another_store() {
    let mut place = large();
    let whole = fs::read(place.path()).unwrap();
    let (store, _) = place.store(Bounds::default());
    store.put(&place.append(act("web", &["SHELL"])));
    assert!(is_whole(&store.reader(), 12_301));
    drop(store);
    let with_loose = fs::read(place.path()).unwrap();
    let changed = |damage: &str| {
        fs::write(place.path(), &with_loose).unwrap();
        let base = rusqlite::Connection::open(place.path()).unwrap();
        assert!(base.execute(damage, []).unwrap() > 0, "{damage}");
        drop(base);
        fs::read(place.path()).unwrap()
    };
    for damage in [
        changed("UPDATE loose SET ms = ms + 1"),
        changed("UPDATE recent SET entries = x'00'"),
        changed("UPDATE recent SET entries = 'text'"),
        changed("DELETE FROM floor"),
        changed("DELETE FROM chapters WHERE first = (SELECT max(first) FROM chapters)"),
        changed("DELETE FROM blocks WHERE first = (SELECT max(first) FROM blocks)"),
        changed("UPDATE blocks SET records = zeroblob(9) WHERE first = (SELECT max(first) FROM blocks)"),
        whole[..whole.len() - 16_384].to_vec(),
        whole[..9_000].to_vec(),
    ] {
        fs::write(place.path(), damage).unwrap();
        let (store, told) = place.store(Bounds::default());
        assert!(told.recv_timeout(Duration::from_secs(20)).unwrap().contains("set aside"));
        assert!(is_whole(&store.reader(), 12_301));
        assert_eq!(store.reader().ask_store(&all()).unwrap().1.len(), 12_301);
    }
}

#[test]
fn what_another_reader_finds_later_does_not_count() {
    let shared = Shared::default();
    let file = shared.file();
    shared.set(true, 9);
    shared.report(file);
    assert!(shared.is_damaged() && !shared.reaches(1, Duration::ZERO));
    shared.set(true, 10);
    assert!(!shared.reaches(1, Duration::ZERO), "what the thread did meanwhile mends nothing");
    shared.begin_anew();
    shared.set(true, 10);
    shared.report(file);
    assert!(!shared.is_damaged() && shared.reaches(10, Duration::ZERO), "that was the other file");
}

#[test]
fn rows_are_found_by_their_keys() {
    let place = large();
    let base = schema::open_to_read(&place.path()).unwrap();
    for (rows, newest) in
        [query::BLOCKS, query::RECENT, query::HELD].into_iter().flat_map(|rows| [(rows, true), (rows, false)])
    {
        let mut plan = base.prepare(&format!("EXPLAIN QUERY PLAN {}", query::statement(rows, newest))).unwrap();
        let plan: Vec<String> = plan.query_map([1, 2, 3], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        let is_direct = |step: &String| !step.contains("SCAN") && !step.contains("TEMP");
        assert!(plan.len() >= 2 && plan.iter().all(is_direct), "{rows:?}: {plan:?}");
    }
}

fn inserted(base: &mut rusqlite::Connection, classes: &mut Classes, records: &[Record]) {
    let written: Vec<Written> = records.iter().cloned().map(|record| Written::try_from(record).unwrap()).collect();
    let adding = base.transaction().unwrap();
    insertion::insert(&adding, classes, &written.iter().collect::<Vec<_>>()).unwrap();
    adding.commit().unwrap();
}

#[test]
fn after_a_crash_whole_transactions_are_there() {
    let directory = tempfile::tempdir().unwrap();
    let (path, crashed) = (directory.path().join(FILE), directory.path().join("crashed.sqlite"));
    let mut base = schema::open(&path).unwrap();
    let mut classes = Classes::default();
    let (mut last, mut ends) = (0, vec![0]);
    for count in [5_u64, 60, 900, 1, 130, 128, 1_000, 127, 1, 300] {
        let records: Vec<Record> =
            (last + 1..=last + count).map(|id| Record { id, ..act("web", &["SHELL"]) }).collect();
        inserted(&mut base, &mut classes, &records);
        last += count;
        ends.push(last);
    }
    let log = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    let written = fs::read(log(&path)).unwrap();
    let mut found = std::collections::BTreeSet::new();
    for part in 0..=40 {
        fs::copy(&path, &crashed).unwrap();
        // A power cut leaves as much of the log as it will.
        fs::write(log(&crashed), &written[..written.len() * part / 40]).unwrap();
        let Ok(base) = schema::open(&crashed) else { panic!("it cannot be opened") };
        schema::check(&base).unwrap();
        let newest = schema::newest(&base).unwrap();
        assert!(ends.contains(&newest), "{newest}");
        let ids = query::run(&base, &all()).unwrap().iter().map(|record| record.id).collect::<Vec<_>>();
        assert_eq!(ids, (1..=newest).collect::<Vec<_>>());
        found.insert(newest);
        drop(base);
        for ending in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{ending}", crashed.display()));
        }
    }
    assert!(found.len() > 4 && found.contains(&last), "{found:?}");
}

#[test]
fn what_is_forgotten_leaves_room() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let mut base = schema::open(&path).unwrap();
    let mut classes = Classes::default();
    for part in 0..60 {
        let records: Vec<Record> = (1..=200)
            .map(|one| Record {
                id: part * 200 + one,
                path: Some("x".repeat(600).into()),
                ..act(&format!("service-{part}"), &[])
            })
            .collect();
        inserted(&mut base, &mut classes, &records);
    }
    let (before, _) = retention::pages(&base).unwrap();
    let bounds = Bounds { total: before as u64 * 16_384 / 2, keep: Duration::from_secs(1 << 32) };
    assert!(retention::tend(&mut base, bounds).unwrap());
    let (used, free) = retention::pages(&base).unwrap();
    assert!(used * 16_384 <= bounds.total as i64 && free <= used / 8, "{before}, {used}, {free}");
    assert_eq!(schema::floor(&base).unwrap(), 8_000);
    let count =
        |what: &str| base.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((count("classes"), count("chapters")), (24, 20), "classes go with the span that lists them");
    assert_eq!(query::run(&base, &all()).unwrap().len(), 4_000);
    schema::check(&base).unwrap();
    assert!(!retention::tend(&mut base, Bounds { total: 1, ..bounds }).unwrap(), "the newest stay");
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
        let time = if number < 30_000 { "2020-01-01T00:00:00.000Z".into() } else { clock::rfc3339(clock::now_ms()) };
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
        service: service.map(Into::into),
        capabilities: names.into_iter().map(Into::into).collect(),
        verdict: verdict.map(Into::into),
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

/// What is done with a store: as many records are put in, of which the first takes the place of another (in per mille of those
/// before), and the next id is so much larger; or the first chapters are forgotten.
#[derive(Clone, Debug)]
enum Step {
    Put { records: Vec<Record>, replaces: Option<u64>, gap: u64 },
    Forget { chapters: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![0..4_usize, 100..300_usize, 1_000..1_300_usize];
    // Few different ones, many times.
    let records = (prop::collection::vec(record(), 1..20), size)
        .prop_map(|(some, size)| some.into_iter().cycle().take(size).collect::<Vec<_>>());
    let put = (records, prop::option::weighted(0.3, 0..1_000_u64), 1..4_u64)
        .prop_map(|(records, replaces, gap)| Step::Put { records, replaces, gap });
    prop_oneof![9 => put, 1 => (1..4_u32).prop_map(|chapters| Step::Forget { chapters })]
}

/// The store is compared with a plain map and a plain filter.
fn agrees(steps: Vec<Step>, finds: &[FindRecords]) -> Result<(), TestCaseError> {
    let directory = tempfile::tempdir().unwrap();
    let mut base = schema::open(&directory.path().join(FILE)).unwrap();
    let (mut classes, mut all) = (Classes::default(), std::collections::BTreeMap::new());
    let mut last = 0;
    for step in steps {
        match step {
            Step::Put { mut records, replaces, gap } => {
                let floor = schema::floor(&base).unwrap();
                for (at, record) in records.iter_mut().enumerate() {
                    last += if at == 0 { gap } else { 1 };
                    record.id = last;
                }
                // The other has another place in the batch than its id has.
                if let (Some(part), Some(record)) = (replaces, records.last_mut()) {
                    record.id = floor + 1 + (last - floor - 1) * part / 1_000;
                }
                inserted(&mut base, &mut classes, &records);
                all.extend(records.into_iter().map(|record| (record.id, record)));
            }
            Step::Forget { chapters } => {
                let up_to: Option<i64> = base
                    .query_row(
                        "SELECT max(last) FROM (SELECT last FROM chapters ORDER BY first LIMIT ?1)
                         WHERE last < (SELECT max(last) FROM chapters)",
                        [chapters],
                        |row| row.get(0),
                    )
                    .unwrap();
                if let Some(up_to) = up_to {
                    retention::forget(&mut base, up_to).unwrap();
                    classes = Classes::default();
                    all.retain(|id, _| *id > up_to as u64);
                }
            }
        }
    }
    schema::check(&base).unwrap();
    prop_assert_eq!(
        schema::newest(&base).unwrap(),
        all.keys().last().copied().unwrap_or(0).max(schema::floor(&base).unwrap())
    );
    for find in finds {
        let find = FindRecords { after: find.after * last / 60, ..find.clone() };
        let mut right: Vec<&Record> = all.values().filter(|one| one.id > find.after && find.wanted.has(one)).collect();
        if find.newest {
            right.drain(..right.len().saturating_sub(find.limit));
        }
        right.truncate(find.limit);
        let found = query::run(&base, &find).unwrap();
        prop_assert_eq!(found.iter().collect::<Vec<_>>(), right, "{:?}", find);
    }
    Ok(())
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

    #[test]
    fn the_store_answers_as_a_plain_filter_does(
        steps in prop::collection::vec(step(), 1..40),
        finds in prop::collection::vec(find(), 30),
    ) {
        agrees(steps, &finds)?;
    }
}
