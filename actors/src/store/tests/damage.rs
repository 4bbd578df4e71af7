//! Damage, which leads to another store, and never to a wrong answer.

use super::trouble::Trouble;
use super::*;

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
pub(super) fn large() -> Place {
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
        assert_eq!(by_store(&reader, &find).len(), 10_000);
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
        changed("DELETE FROM state"),
        changed("UPDATE state SET floor = 5000"),
        changed("UPDATE state SET loose = loose + 1"),
        changed("UPDATE chapters SET last = last + 90000 WHERE first = (SELECT max(first) FROM chapters)"),
        changed("UPDATE chapters SET oldest = oldest + 5 WHERE first = 1"),
        changed("UPDATE spans SET last = last - 1"),
        changed("UPDATE classes SET service = 'wec' WHERE service = 'web'"),
        changed("UPDATE classes SET class = class + 10"),
        changed("UPDATE classes SET sum = -1"),
        changed("UPDATE classes SET service = x'ff' WHERE service = 'web'"),
        changed("UPDATE classes SET verdict = CAST(x'ff' AS TEXT)"),
        changed("DELETE FROM chapters WHERE first = (SELECT max(first) FROM chapters)"),
        changed("DELETE FROM blocks WHERE first = (SELECT max(first) FROM blocks)"),
        changed("UPDATE blocks SET records = zeroblob(9) WHERE first = (SELECT max(first) FROM blocks)"),
        whole[..whole.len() - 16_384].to_vec(),
        whole[..9_000].to_vec(),
    ] {
        fs::write(place.path(), &damage).unwrap();
        assert_eq!(newest(&place.path()), 0, "nothing is known of the trail");
        leads_to_another(&place, damage, 12_301);
    }
}

/// With this for its file the store is made anew, from a trail with so many records.
fn leads_to_another(place: &Place, damage: Vec<u8>, records: u64) {
    fs::write(place.path(), damage).unwrap();
    let (store, told) = place.store(Bounds::default());
    assert!(told.recv_timeout(Duration::from_secs(20)).unwrap().contains("set aside"));
    assert!(is_whole(&store.reader(), records));
    assert_eq!(by_store(&store.reader(), &all()).len() as u64, records);
}

#[test]
fn no_missing_row_leads_to_a_wrong_answer() {
    let mut place = large();
    let (store, _) = place.store(Bounds::default());
    for service in ["web", "late"] {
        store.put(&place.append(act(service, &["SHELL"])));
    }
    assert!(is_whole(&store.reader(), 12_302));
    drop(store);
    let whole = fs::read(place.path()).unwrap();
    let select = |selection: Selection| FindRecords { wanted: selection, ..all() };
    let of = |service: &str| Selection { service: Some(service.to_owned()), ..Selection::default() };
    let base = schema::open(&place.path()).unwrap();
    let time = |id: u64| {
        let one = FindRecords { after: id - 1, limit: 1, ..all() };
        query::run(&base, &one).unwrap()[0].time.parse::<Timestamp>().ok()
    };
    let early = Selection { until: time(4_000), ..of("web") };
    let late = Selection { since: time(9_000), ..Selection::default() };
    let finds: Vec<FindRecords> =
        [all(), select(of("web")), select(of("rare")), select(of("late")), select(early), select(late)]
            .into_iter()
            .flat_map(|find| {
                let some = FindRecords { after: 3_000, limit: 2_500, ..find.clone() };
                let newest = FindRecords { newest: true, ..some.clone() };
                let last = FindRecords { newest: true, limit: 1, ..find.clone() };
                [find, some, newest, last]
            })
            .collect();
    let trail = Reader::new(place.path(), place.directory.path().into(), Arc::default());
    let right: Vec<Vec<Record>> = finds.iter().map(|find| trail.find(find, 12_302).unwrap()).collect();
    assert!(right.iter().all(|records| !records.is_empty()));
    let right_of = |base: &rusqlite::Connection| -> Vec<Option<bool>> {
        let one = |(find, right): (&FindRecords, &Vec<Record>)| match query::run(base, find) {
            Ok(found) => Some(found == *right),
            Err(trouble) => (!trouble.is_final()).then_some(false),
        };
        finds.iter().zip(&right).map(one).collect()
    };
    assert!(right_of(&base).iter().all(|is_right| *is_right == Some(true)));
    drop(base);
    for (table, most) in
        [("loose", 5), ("blocks", 40), ("chapters", 40), ("recent", 40), ("spans", 9), ("held", 9), ("classes", 9)]
    {
        // Where they are many, the first, the last, and some between.
        let places = |base: &rusqlite::Connection| {
            let count: i64 = base.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
            let count = count as usize;
            let mut places: Vec<usize> = (0..count).step_by(count.div_ceil(most).max(1)).collect();
            places.push(count - 1);
            places
        };
        let all = places(&schema::open_to_read(&place.path()).unwrap());
        for at in all {
            fs::write(place.path(), &whole).unwrap();
            let base = schema::open(&place.path()).unwrap();
            let key = if table == "held" { "(class, span)" } else { "rowid" };
            let taken = base.execute(
                &format!(
                    "DELETE FROM {table} WHERE {key} = (SELECT {} FROM {table} LIMIT 1 OFFSET {at})",
                    key.trim_matches(['(', ')'])
                ),
                [],
            );
            assert_eq!(taken, Ok(1), "{table}");
            let answers = right_of(&base);
            assert!(!answers.contains(&Some(false)), "{table}, row {at}: {answers:?}");
            assert!(answers.contains(&None), "somebody notices: {table}, row {at}");
            drop(base);
            for ending in ["-wal", "-shm"] {
                let _ = fs::remove_file(format!("{}{ending}", place.path().display()));
            }
        }
        fs::write(place.path(), &whole).unwrap();
    }
}

#[test]
fn a_missing_row_does_not_become_right_by_what_is_done_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let mut base = schema::open(&path).unwrap();
    let mut classes = Classes::default();
    let batch = |part: u64| -> Vec<Record> {
        let service = match part {
            1 => "early",
            8 => "late",
            _ => "web",
        };
        (1..=200).map(|one| Record { id: part * 200 + one, ..act(service, &[]) }).collect()
    };
    (0..9).for_each(|part| inserted(&mut base, &mut classes, &batch(part)));
    base.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(base);
    let whole = fs::read(&path).unwrap();
    let early = "(SELECT class FROM classes WHERE service = 'early')";
    let newest = |table: &str| format!("DELETE FROM {table} WHERE first = (SELECT max(first) FROM {table})");
    // Whether forgetting notices, as classes of which there is nothing go with it, and putting in, behind the newest chapter.
    for (damage, noticed) in [
        (format!("DELETE FROM held WHERE class = {early}"), [true, false]),
        (newest("recent"), [true, false]),
        (newest("chapters"), [false, true]),
    ] {
        fs::write(&path, &whole).unwrap();
        let mut base = schema::open(&path).unwrap();
        assert_eq!(base.execute(&damage, []), Ok(1), "{damage}");
        let forgot = retention::forget(&mut base, 200);
        let put = insert(&mut base, &mut Classes::default(), &batch(9));
        let found = [&forgot, &put].map(|done| matches!(done, Err(Trouble::Damaged)));
        assert_eq!(found, noticed, "{damage}: {forgot:?}, {put:?}");
        drop(base);
        for ending in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{ending}", path.display()));
        }
    }
}

#[test]
fn what_another_reader_finds_later_does_not_count() {
    let shared = Shared::default();
    shared.set(true, 9);
    let file = shared.reaches(9, Duration::ZERO).unwrap();
    shared.report(file);
    assert!(shared.is_damaged() && shared.reaches(1, Duration::ZERO).is_none());
    shared.set(true, 10);
    assert!(shared.reaches(1, Duration::ZERO).is_none(), "what the thread did meanwhile mends nothing");
    shared.begin_anew();
    shared.set(true, 10);
    shared.report(file);
    assert!(!shared.is_damaged() && shared.reaches(10, Duration::ZERO).is_some(), "that was the other file");
}

#[test]
fn tables_that_are_not_those_of_a_store_lead_to_another() {
    let mut place = Place::new();
    (0..150).for_each(|_| drop(place.append(act("web", &["SHELL"]))));
    let (store, _) = place.store(Bounds::default());
    assert!(is_whole(&store.reader(), 150));
    drop(store);
    let whole = fs::read(place.path()).unwrap();
    let only_read = [&whole[..18], &[9], &whole[19..]].concat();
    let changed = |damage: &str| {
        fs::write(place.path(), &whole).unwrap();
        let base = rusqlite::Connection::open(place.path()).unwrap();
        base.execute_batch(damage).unwrap();
        drop(base);
        fs::read(place.path()).unwrap()
    };
    for damage in [
        changed("PRAGMA user_version = 0"),
        changed("DROP TABLE chapters"),
        changed("ALTER TABLE held RENAME COLUMN entries TO entriet"),
        changed("ALTER TABLE blocks RENAME TO block"),
        only_read,
    ] {
        leads_to_another(&place, damage, 150);
    }
}

#[test]
fn what_is_not_as_it_was_written_is_damage() {
    let base = rusqlite::Connection::open_in_memory().unwrap();
    for ask in
        ["SELECT -1", "SELECT 'text'", "SELECT NULL", "SELECT 1 WHERE 0", "SELECT id FROM nothing", "SELECT 1 << 40"]
    {
        let trouble = Trouble::from(base.query_row(ask, [], |row| row.get::<_, u32>(0)).unwrap_err());
        assert!(trouble.is_final(), "{ask}: {trouble}");
    }
    let no_text = base.query_row("SELECT CAST(x'ff' AS TEXT)", [], |row| row.get::<_, String>(0)).unwrap_err();
    assert!(Trouble::from(no_text).is_final());
    for code in [rusqlite::ffi::SQLITE_BUSY, rusqlite::ffi::SQLITE_FULL, rusqlite::ffi::SQLITE_IOERR] {
        let failure = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        assert!(!Trouble::from(failure).is_final(), "another attempt may help: {code}");
    }
}

#[test]
fn an_answer_of_a_file_that_was_set_aside_is_none() {
    let mut place = Place::new();
    (0..50).for_each(|_| drop(place.append(act("web", &["SHELL"]))));
    let (store, _) = place.store(Bounds::default());
    let reader = store.reader();
    assert!(is_whole(&reader, 50));
    let file = reader.shared.reaches(50, Duration::ZERO).unwrap();
    assert_eq!(store.recall(7).unwrap().unwrap().id, 7);
    assert!(store.kept().is_some(), "and the connection is kept");
    reader.shared.report(file);
    assert!(matches!(reader.ask_store(&all(), file), Err(Trouble::Replaced)));
    assert_eq!(place.ids(&reader, &all()).len(), 50);
    assert!(is_whole(&reader, 50));
    assert!(matches!(reader.ask_store(&all(), file), Err(Trouble::Replaced)), "it is another");
    assert_eq!(store.recall(7).unwrap().unwrap().id, 7, "of the new file");
    assert!(store.recall(51).is_err() && store.recall(50).unwrap().is_some());
}

#[test]
fn a_file_has_its_number_until_it_is_set_aside() {
    let mut place = Place::new();
    place.append(act("web", &["SHELL"]));
    fs::write(place.path(), "no data base".repeat(100)).unwrap();
    let (store, _) = place.store(Bounds::default());
    let shared = store.reader().shared;
    let begun = Instant::now();
    while shared.progress().file == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    assert!(place.directory.path().join("store.sqlite.broken").exists());
}

#[test]
fn no_changed_byte_leads_to_a_wrong_answer() {
    let mut place = Place::new();
    for number in 0..140_i64 {
        let time = clock::rfc3339(number * 1_000);
        place.append(Record { time, ..act(if number % 3 == 0 { "rare" } else { "web" }, &["SHELL"]) });
    }
    let (store, _) = place.store(Bounds::default());
    assert!(is_whole(&store.reader(), 140));
    store.put(&place.append(act("web", &["USERS"])));
    drop(store);
    let whole = fs::read(place.path()).unwrap();
    let select = |selection: Selection| FindRecords { wanted: selection, ..all() };
    let time = |second| Some(Timestamp::from_second(second).unwrap());
    let finds = [
        all(),
        select(Selection { service: Some("web".to_owned()), ..Selection::default() }),
        select(Selection {
            service: Some("rare".to_owned()),
            verdict: Some("deny".to_owned()),
            ..Selection::default()
        }),
        select(Selection { capabilities: vec!["USERS".to_owned()], ..Selection::default() }),
        select(Selection { since: time(20), until: time(90), ..Selection::default() }),
    ];
    let trail = Reader::new(place.path(), place.directory.path().into(), Arc::default());
    let right: Vec<Vec<Record>> = finds.iter().map(|find| trail.find(find, 141).unwrap()).collect();
    assert!(newest(&place.path()) == 141 && right.iter().all(|records| !records.is_empty()));
    let used = (0..whole.len()).filter(|at| whole[at / 64 * 64..].iter().take(64).any(|byte| *byte != 0));
    let mut wrong = Vec::new();
    let changed = |at: usize| {
        let mut other = whole.clone();
        other[at] ^= 1 << (at % 8);
        fs::write(place.path(), other).unwrap();
    };
    for at in used.clone().step_by(11) {
        changed(at);
        let reached = newest(&place.path());
        let answers = schema::open(&place.path()).and_then(|base| {
            schema::check(&base)?;
            finds.iter().map(|find| query::run(&base, find)).collect::<Result<Vec<_>, _>>()
        });
        let is_right = match &answers {
            Ok(answers) => *answers == right,
            Err(trouble) => trouble.is_final(),
        };
        if !is_right || ![0, 141].contains(&reached) {
            wrong.push((at, reached, answers.map(|all| all.iter().map(Vec::len).collect::<Vec<_>>())));
        }
        for ending in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{ending}", place.path().display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    // Some of them with all that belongs to a store, which is asked until it answers itself.
    let count = used.clone().count();
    for at in used.step_by(count / 7) {
        changed(at);
        let (store, _) = place.store(Bounds::default());
        let reader = store.reader();
        let is_right = || finds.iter().zip(&right).all(|(find, right)| reader.find(find, 141).unwrap() == *right);
        assert!(is_right() && is_whole(&reader, 141) && is_right(), "{at}");
        // What these questions found has led to another file.
        assert!(is_whole(&reader, 141), "{at}");
        assert!(finds.iter().zip(&right).all(|(find, right)| by_store(&reader, find) == *right), "{at}");
    }
}
