//! What the bounds exclude.

use super::*;

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
    let tiny = Bounds { total: 1, ..bounds };
    assert!(retention::tend(&mut base, tiny).unwrap() && !retention::tend(&mut base, tiny).unwrap());
    assert_eq!((chapters::all(&base).unwrap().len(), schema::floor(&base).unwrap()), (1, 11_800), "the newest stay");
    assert_eq!(query::run(&base, &all()).unwrap().len(), 200);
    schema::check(&base).unwrap();
}

#[test]
fn a_small_store_is_kept_small() {
    let directory = tempfile::tempdir().unwrap();
    let mut base = schema::open(&directory.path().join(FILE)).unwrap();
    let (mut classes, bounds) = (Classes::default(), Bounds { total: 1 << 20, keep: Duration::from_secs(1 << 32) });
    for part in 0..12 {
        let long = |id| Record { id, path: Some("x".repeat(600).into()), ..act("web", &[]) };
        inserted(&mut base, &mut classes, &(1..=200).map(|one| long(part * 200 + one)).collect::<Vec<_>>());
    }
    assert!(retention::tend(&mut base, bounds).unwrap());
    let (used, _) = retention::pages(&base).unwrap();
    assert!(used * 16_384 <= 1 << 20 && used * 16_384 > 3 << 18, "{used}: no more than has to go");
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
