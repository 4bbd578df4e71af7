#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{Receiver, channel};

use jiff::Timestamp;
use proptest::prelude::*;

use super::classes::Classes;
use super::trouble::Trouble;
use super::*;
use crate::clock;
use crate::messages::FindRecords;
use crate::record::{Kind, Record};
use crate::selection::{KINDS, Selection};
use crate::trail::Trail;

#[path = "tests/damage.rs"]
mod damage;
#[path = "tests/forgetting.rs"]
mod forgetting;

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
        reader.shared.reaches(last, Duration::from_millis(10)).is_some()
    })
}

/// What the store itself has of it.
fn by_store(reader: &Reader, find: &FindRecords) -> Vec<Record> {
    let file = reader.shared.reaches(0, Duration::ZERO).unwrap();
    reader.ask_store(find, file).unwrap().1
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
fn rows_are_found_by_their_keys() {
    let place = damage::large();
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
    insert(base, classes, records).unwrap();
}

fn insert(base: &mut rusqlite::Connection, classes: &mut Classes, records: &[Record]) -> Result<(), Trouble> {
    let written: Vec<Written> = records.iter().cloned().map(|record| Written::try_from(record).unwrap()).collect();
    let adding = base.transaction()?;
    insertion::insert(&adding, classes, &written.iter().collect::<Vec<_>>())?;
    Ok(adding.commit()?)
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
fn a_store_that_cannot_be_written_leaves_the_answers_to_the_trail() {
    let mut place = Place::new();
    fs::create_dir(place.path()).unwrap();
    let (store, _) = place.store(Bounds::default());
    store.put(&place.append(act("web", &["SHELL"])));
    assert_eq!(place.ids(&store.reader(), &all()), [1]);
    fs::remove_dir(place.path()).unwrap();
    assert!(is_whole(&store.reader(), 1), "and it is made when that is possible");
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

/// Takes out a row of a table, if it has any.
fn lose_row(base: &rusqlite::Connection, table: &str, which: prop::sample::Index) {
    let count: i64 = base.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
    if count > 0 {
        let (key, at) = (if table == "held" { "class, span" } else { "rowid" }, which.index(count as usize));
        let row = format!("SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET {at}");
        assert_eq!(base.execute(&format!("DELETE FROM {table} WHERE ({key}) = ({row})"), []), Ok(1), "{table}");
    }
}

/// A row that is lost: of this table, which of its rows, and before which step.
type Lost<'a> = (&'a str, prop::sample::Index, usize);

/// The store is compared with a plain map and a plain filter. Once a row is lost it answers rightly or not at all, whatever is done with
/// it then.
fn agrees(steps: Vec<Step>, finds: &[FindRecords], lost: Option<Lost<'_>>) -> Result<(), TestCaseError> {
    let directory = tempfile::tempdir().unwrap();
    let mut base = schema::open(&directory.path().join(FILE)).unwrap();
    let (mut classes, mut all) = (Classes::default(), std::collections::BTreeMap::new());
    let (mut last, count) = (0, steps.len());
    for (number, step) in steps.into_iter().enumerate() {
        if let Some((table, row, _)) = lost.filter(|(.., when)| *when == number) {
            lose_row(&base, table, row);
        }
        let done = match step {
            Step::Put { mut records, replaces, gap } => schema::floor(&base).and_then(|floor| {
                for (at, record) in records.iter_mut().enumerate() {
                    last += if at == 0 { gap } else { 1 };
                    record.id = last;
                }
                // The other has another place in the batch than its id has.
                if let (Some(part), Some(record)) = (replaces, records.last_mut()) {
                    record.id = floor + 1 + (last - floor - 1) * part / 1_000;
                }
                insert(&mut base, &mut classes, &records)?;
                all.extend(records.into_iter().map(|record| (record.id, record)));
                Ok(())
            }),
            Step::Forget { chapters } => {
                let up_to: Option<i64> = base
                    .query_row(
                        "SELECT max(last) FROM (SELECT last FROM chapters ORDER BY first LIMIT ?1)
                         WHERE last < (SELECT max(last) FROM chapters)",
                        [chapters],
                        |row| row.get(0),
                    )
                    .unwrap();
                up_to.map_or(Ok(()), |up_to| {
                    retention::forget(&mut base, up_to)?;
                    classes = Classes::default();
                    all.retain(|id, _| *id > up_to as u64);
                    Ok(())
                })
            }
        };
        if let Err(trouble) = done {
            prop_assert!(lost.is_some_and(|(.., when)| when <= number) && trouble.is_final(), "{}", trouble);
            return Ok(());
        }
    }
    if let Some((table, row, _)) = lost.filter(|(.., when)| *when >= count) {
        lose_row(&base, table, row);
    }
    if lost.is_none() {
        schema::check(&base).unwrap();
        let newest = all.keys().last().copied().unwrap_or(0).max(schema::floor(&base).unwrap());
        prop_assert_eq!(schema::newest(&base).unwrap(), newest);
    }
    for find in finds {
        let find = FindRecords { after: find.after * last / 60, ..find.clone() };
        let mut right: Vec<&Record> = all.values().filter(|one| one.id > find.after && find.wanted.has(one)).collect();
        if find.newest {
            right.drain(..right.len().saturating_sub(find.limit));
        }
        right.truncate(find.limit);
        match query::run(&base, &find) {
            Ok(found) => prop_assert_eq!(found.iter().collect::<Vec<_>>(), right, "{:?}, {:?}", find, lost),
            Err(trouble) => prop_assert!(lost.is_some() && trouble.is_final(), "{}, {:?}", trouble, find),
        }
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
            let by_store = by_store(&store.reader(), &find);
            prop_assert_eq!(by_store, trail.find(&find, count).unwrap(), "{:?}", find);
        }
    }

    #[test]
    fn the_store_answers_as_a_plain_filter_does(
        steps in prop::collection::vec(step(), 1..40),
        finds in prop::collection::vec(find(), 30),
    ) {
        agrees(steps, &finds, None)?;
    }

    #[test]
    fn no_lost_row_leads_to_a_wrong_answer(
        steps in prop::collection::vec(step(), 1..40),
        finds in prop::collection::vec(find(), 30),
        table in prop::sample::select(vec!["loose", "blocks", "chapters", "recent", "spans", "held", "classes", "state"]),
        row in any::<prop::sample::Index>(),
        when in 0..60_usize,
    ) {
        agrees(steps, &finds, Some((table, row, when)))?;
    }
}
