#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use super::line::Line;
use super::verify::verify;
use super::*;

fn open(directory: &Path) -> Trail {
    Trail::open(directory.to_owned(), "1-").unwrap()
}

fn plain(text: &str) -> Record {
    Record::plain(Kind::Capability, text.to_owned())
}

fn files(directory: &Path) -> Vec<PathBuf> {
    segment::list(directory).unwrap().into_iter().map(|segment| segment.path).collect()
}

fn is_whole(directory: &Path) {
    let report = verify(directory, None).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

fn sum(directory: &Path) -> u64 {
    let all = read(directory, 0, None, usize::MAX).unwrap();
    all.iter().filter(|record| record.kind != Kind::Lifecycle).map(|record| record.count).sum()
}

fn read(directory: &Path, after: u64, service: Option<&str>, limit: usize) -> io::Result<Vec<Record>> {
    let mut found = Vec::new();
    walk(directory, after, &mut |record| {
        if service.is_none_or(|name| record.service.as_deref() == Some(name)) {
            found.push(record);
        }
        if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(found)
}

const SMALL: Bounds = Bounds { segment: 3_000, total: 1 << 30, keep: Duration::from_secs(86_400 * 365) };

impl Trail {
    /// From now on the disk is full.
    pub(crate) fn fill(&mut self) {
        self.writing = Some(Writing::full(&self.directory));
    }

    /// There is room again.
    pub(crate) fn relieve(&mut self) {
        self.writing = None;
    }
}

/// Nobody has a record that is not in memory.
fn gone(_: u64) -> std::io::Result<Option<Record>> {
    Ok(None)
}

#[test]
fn an_act_that_comes_again_after_a_crash_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = open(directory.path());
    let record = Record { pid: Some(7), ..plain("one") };
    assert!(!trail.holds(&record, &"1-k".into()));
    trail.append(record.clone(), Some("1-k".into()), 0).unwrap();
    drop(trail);
    let trail = open(directory.path());
    assert!(trail.holds(&record, &"1-k".into()));
    assert!(!trail.holds(&record, &"another".into()));
    assert!(!trail.holds(&Record { pid: Some(8), ..record.clone() }, &"1-k".into()));
    assert!(!trail.holds(&Record { time: "2020-01-01T00:00:00.000Z".into(), ..record }, &"1-k".into()));
}

#[test]
fn ids_sums_and_the_chain_go_on_after_a_restart_even_with_a_cut_line() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = open(directory.path());
    let first = trail.append(plain("one"), Some("1-k".into()), 0).unwrap();
    assert_eq!(first.id, 1);
    assert_eq!(trail.append_due(&"1-k".into(), 4, &gone).unwrap().unwrap().count, 4);
    assert!(trail.append_due(&"1-k".into(), 4, &gone).unwrap().is_none());
    drop(trail);
    let file = files(directory.path())[0].clone();
    OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"time\":\"20").unwrap();
    let report = verify(directory.path(), None).unwrap();
    assert!(report.findings.is_empty() && report.notes[0].contains("jsonl:3: the last line"), "{report:?}");
    let mut trail = open(directory.path());
    let news = trail.take_news();
    assert!(
        news[0].message.ends_with("cut off after 11 bytes, as by a crash, and is taken out: {\"time\":\"20"),
        "{news:?}"
    );
    let again = trail.append_due(&"1-k".into(), 9, &gone).unwrap().unwrap();
    assert_eq!((again.id, again.count, again.repeats), (4, 5, Some(1)));
    is_whole(directory.path());
    assert_eq!(sum(directory.path()), 10);
    assert_eq!(read(directory.path(), 3, None, 100).unwrap().len(), 1);
    assert_eq!(read(directory.path(), 0, None, 1).unwrap()[0].id, 1, "the oldest come first");
    assert!(read(directory.path(), 0, Some("web"), 100).unwrap().is_empty());
}

#[test]
fn a_line_without_its_line_feed_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).append(plain("one"), None, 0).unwrap();
    let file = files(directory.path())[0].clone();
    let text = fs::read(&file).unwrap();
    fs::write(&file, &text[..text.len() - 1]).unwrap();
    let mut trail = open(directory.path());
    assert!(trail.take_news().is_empty());
    assert_eq!(trail.append(plain("two"), None, 0).unwrap().id, 2);
    is_whole(directory.path());
}

#[test]
fn floods_and_losses_are_counted_once_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    for kind in [Kind::Flood, Kind::Loss] {
        let key = format!("1-{kind:?}");
        let mut trail = open(directory.path());
        trail.append(Record { count: 500, ..Record::plain(kind, "many") }, Some(key.as_str().into()), 500).unwrap();
        assert_eq!(trail.append_due(&key.as_str().into(), 600, &gone).unwrap().unwrap().count, 100);
        drop(trail);
        let mut trail = open(directory.path());
        assert!(trail.append_due(&key.as_str().into(), 600, &gone).unwrap().is_none(), "nothing is new");
        assert_eq!(trail.append_due(&key.as_str().into(), 700, &gone).unwrap().unwrap().count, 100);
    }
}

#[test]
fn segments_are_closed_by_size_and_compressed_and_the_chain_goes_on_over_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = open(directory.path()).bounded(SMALL);
    for number in 0..40 {
        trail.append(plain(&format!("number {number}")), Some(format!("1-{number}").into()), 0).unwrap();
    }
    drop(trail);
    let all = files(directory.path());
    let packed = all.iter().filter(|path| path.extension().unwrap() == "gz").count();
    assert!(packed > 4 && packed == all.len() - 1, "all but the newest are compressed: {all:?}");
    is_whole(directory.path());
    let ids: Vec<u64> = read(directory.path(), 20, None, 100).unwrap().iter().map(|record| record.id).collect();
    assert_eq!(ids, (21..=40).collect::<Vec<_>>());
    let mut trail = open(directory.path()).bounded(SMALL);
    assert_eq!(
        trail.append_due(&"1-0".into(), 5, &gone).unwrap().unwrap().repeats,
        Some(1),
        "kinds of old segments are known"
    );
    drop(trail);
    is_whole(directory.path());
}

#[test]
fn what_the_bounds_exclude_is_deleted_and_sums_stay_exact() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = open(directory.path()).bounded(SMALL);
    trail.append(plain("the first"), Some("1-k".into()), 0).unwrap();
    assert_eq!(trail.append_due(&"1-k".into(), 3, &gone).unwrap().unwrap().count, 3);
    (0..40).for_each(|_| drop(trail.append(plain("filling"), None, 0).unwrap()));
    drop(trail);
    let size: u64 = files(directory.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    let mut trail = open(directory.path()).bounded(Bounds { total: size / 2, ..SMALL });
    trail.tend().unwrap();
    let news = trail.take_news();
    assert!(news[0].message.starts_with("Records up to "), "{news:?}");
    assert_eq!(trail.append_due(&"1-k".into(), 5, &gone).unwrap().unwrap().count, 2);
    drop(trail);
    let left = read(directory.path(), 0, None, 100).unwrap();
    assert!(left[0].id > 2 && left.len() < 40, "{}", left.len());
    is_whole(directory.path());
    let mut trail = open(directory.path());
    assert_eq!(
        trail.append_due(&"1-k".into(), 9, &gone).unwrap().unwrap().count,
        4,
        "its first records are gone, the count is not"
    );
    drop(trail);
    // Nobody else may delete: the same again, by hand.
    fs::remove_file(&files(directory.path())[0]).unwrap();
    let report = verify(directory.path(), None).unwrap();
    assert!(report.findings[0].what.contains("no record says that they were deleted"), "{report:?}");
}

#[test]
fn old_files_go_one_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    for (first, day) in [(1, "20200101"), (2, "20200102"), (3, "20200103")] {
        let mut trail = open(directory.path());
        trail.append(plain("old"), None, 0).unwrap();
        trail.writing = None;
        let today = files(directory.path()).pop().unwrap();
        fs::rename(today, directory.path().join(segment::Name::Chained(first, day.into()).file())).unwrap();
    }
    let mut trail = open(directory.path());
    trail.append(plain("new"), None, 0).unwrap();
    drop(trail);
    for left in [3, 2] {
        let mut trail = open(directory.path());
        trail.tend().unwrap();
        drop(trail);
        assert_eq!(files(directory.path()).len(), left);
        is_whole(directory.path());
    }
    let mut trail = open(directory.path());
    trail.tend().unwrap();
    assert_eq!(files(directory.path()).len(), 2, "what was written until yesterday is not a year old");
}

#[test]
fn a_trail_from_before_the_chain_is_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let line = |id: u64| {
        let record = Record { id, ..plain("before") };
        serde_json::to_string(&Line { record, key: Some(format!("1-{id}")), anchor: None, previous: None }).unwrap()
    };
    fs::write(directory.path().join("audit-20251231.jsonl"), format!("{}\n{}\n", line(1), line(2))).unwrap();
    fs::write(directory.path().join("audit-20260101.jsonl"), format!("{}\n{{\"cut", line(3))).unwrap();
    let mut trail = open(directory.path());
    assert!(trail.take_news()[0].message.starts_with("2 files of records were taken over"));
    assert_eq!(trail.append_due(&"1-2".into(), 2, &gone).unwrap().unwrap().id, 5);
    drop(trail);
    is_whole(directory.path());
    assert_eq!(read(directory.path(), 0, None, 100).unwrap().len(), 5);
    assert!(open(directory.path()).take_news().is_empty(), "once");
    let old = files(directory.path())[0].clone();
    assert!(old.to_string_lossy().ends_with("20251231.jsonl.gz"), "{old:?}");
    let mut trail = open(directory.path()).bounded(Bounds { total: 1, ..SMALL });
    trail.tend().unwrap();
    drop(trail);
    is_whole(directory.path());
    assert_eq!(files(directory.path()).len(), 1, "all that is closed went");
}

#[test]
fn files_from_before_the_chain_are_held_by_it() {
    let directory = tempfile::tempdir().unwrap();
    let old = directory.path().join("audit-20251231.jsonl");
    let text = format!("{}\n", serde_json::to_string(&Record { id: 1, ..plain("before") }).unwrap());
    fs::write(&old, &text).unwrap();
    drop(open(directory.path()));
    let packed = files(directory.path())[0].clone();
    let kept = fs::read(&packed).unwrap();
    fs::write(&old, text.replace("before", "beyond")).unwrap();
    let found = verify(directory.path(), None).unwrap().findings;
    assert!(found.len() == 1 && found[0].what.contains("was changed since it was taken over"), "{found:?}");
    fs::remove_file(&old).unwrap();
    is_whole(directory.path());
    fs::remove_file(&packed).unwrap();
    let found = verify(directory.path(), None).unwrap().findings;
    assert!(found.len() == 1 && found[0].what.contains("is missing"), "{found:?}");
    fs::write(&packed, kept).unwrap();
    fs::write(directory.path().join("audit-20261231.jsonl"), text).unwrap();
    let found = verify(directory.path(), None).unwrap().findings;
    assert!(found.len() == 1 && found[0].what.contains("nor was it taken over"), "{found:?}");
}

#[test]
fn a_segment_that_is_taken_away_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = open(directory.path());
    trail.append(plain("one"), None, 0).unwrap();
    trail.tend().unwrap();
    assert!(trail.take_news().is_empty());
    fs::remove_file(&files(directory.path())[0]).unwrap();
    trail.tend().unwrap();
    assert!(trail.take_news()[0].message.ends_with("of the audit trail was removed or replaced"));
    let found = verify(directory.path(), None).unwrap().findings;
    assert!(found[0].what.contains("the records before 2 are missing"), "{found:?}");
}

#[test]
fn an_end_that_is_missing_is_told_and_its_ids_are_not_given_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = open(directory.path());
    (0..5).for_each(|_| drop(trail.append(plain("one"), None, 0).unwrap()));
    let End { id, digest } = trail.end().unwrap();
    heads::Heads::open(directory.path()).unwrap().sign(id, digest).unwrap();
    drop(trail);
    is_whole(directory.path());
    let file = files(directory.path())[0].clone();
    let text = fs::read_to_string(&file).unwrap();
    let cut: Vec<&str> = text.lines().take(3).collect();
    fs::write(&file, format!("{}\n", cut.join("\n"))).unwrap();
    let found = verify(directory.path(), None).unwrap().findings;
    assert!(found[0].what.starts_with("the end is missing: record 5 was signed on"), "{found:?}");
    assert_eq!(found[0].id, Some(4));
    let mut trail = open(directory.path());
    let news = trail.take_news();
    assert_eq!((news[0].kind, news[0].id), (Kind::Tamper, 6));
    drop(trail);
    let found = verify(directory.path(), None).unwrap().findings;
    assert!(found.iter().any(|one| one.what == "records 4 to 5 are missing before this one"), "{found:?}");
}

#[test]
fn on_a_disk_that_takes_nothing_the_trail_stays_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = open(directory.path());
    trail.append(plain("one"), None, 0).unwrap();
    let before = (trail.end, trail.next);
    trail.writing = Some(Writing::full(directory.path()));
    assert!(trail.append(plain("two"), Some("1-k".into()), 0).is_err());
    assert_eq!((trail.end, trail.next), before);
    assert!(!trail.tally.knows(&"1-k".into()));
    trail.writing = None;
    assert_eq!(trail.append(plain("two"), None, 0).unwrap().id, 2, "it goes on when there is room");
    is_whole(directory.path());
}

#[test]
fn what_the_trail_has_to_say_waits_for_room_and_comes_first() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = open(directory.path());
    trail.append(plain("one"), None, 0).unwrap();
    trail.writing = Some(Writing::full(directory.path()));
    trail.has_reached(5, "somebody has");
    assert!(trail.append(plain("two"), None, 0).is_err());
    assert!(trail.tend().is_err() || trail.take_news().is_empty());
    trail.writing = None;
    assert_eq!(trail.append(plain("two"), None, 0).unwrap().id, 7);
    let news = trail.take_news();
    assert_eq!((news.len(), news[0].kind, news[0].id), (1, Kind::Tamper, 6));
}

#[test]
fn repeats_of_kinds_that_are_not_in_memory_are_told_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = open(directory.path());
    let key = |number: usize| Some(format!("1-{number:x}").into());
    let mut new = (0..=FIRSTS + 1).map(|number| New { record: plain("one"), key: key(number), already: 0 }).collect();
    let all = trail.append_all(&mut new).unwrap();
    trail.append(plain("another"), None, 0).unwrap();
    let there = |id: u64| Ok(all.iter().find(|one| one.id == id).map(|one| one.record.clone()));
    let later = |_: u64| Err(std::io::ErrorKind::WouldBlock.into());
    assert!(trail.append_due(&"1-0".into(), 7, &later).is_err());
    let told = trail.append_due(&"1-0".into(), 7, &there).unwrap().unwrap();
    assert_eq!((told.message.as_str(), told.count, told.repeats), ("one", 7, Some(1)));
    let told = trail.append_due(&"1-1".into(), 5, &gone).unwrap().unwrap();
    assert!(told.message.contains("record 2 told first"), "{}", told.message);
    assert_eq!((told.count, told.repeats), (5, Some(2)));
    trail.checkpoint().unwrap();
    drop(trail);
    let mut trail = open(directory.path());
    assert!(trail.append_due(&"1-1".into(), 5, &gone).unwrap().is_none());
    assert_eq!(trail.append_due(&"1-1".into(), 6, &gone).unwrap().unwrap().count, 1, "its sum is exact over a restart");
    is_whole(directory.path());
}

#[test]
fn a_burst_of_kinds_is_asked_for_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = open(directory.path());
    let kinds: Vec<Key> = (0..300).map(|number| format!("1-{number:x}").into()).collect();
    let new = |key: &Key| New { record: plain("one"), key: Some(key.clone()), already: 0 };
    let all = trail.append_all(&mut kinds.iter().map(new).collect()).unwrap();
    trail.append(plain("another"), None, 0).unwrap();
    let asked = std::cell::Cell::new(0);
    let recall = |id: u64| {
        asked.set(asked.get() + 1);
        Ok(all.iter().find(|one| one.id == id).map(|one| one.record.clone()))
    };
    for round in 1..4 {
        for key in &kinds {
            assert_eq!(trail.append_due(key, round, &recall).unwrap().unwrap().count, 1);
        }
    }
    assert_eq!(asked.get(), 300);
}

#[test]
fn a_batch_that_the_ring_still_holds_after_a_crash_is_told_once_even_behind_a_checkpoint() {
    for many in [1, FEW, FEW + 1, 256] {
        let directory = tempfile::tempdir().unwrap();
        let mut trail = open(directory.path());
        let record = |number: usize| Record { pid: Some(number as u32), ..plain("one") };
        let key = |number: usize| Key::from(format!("1-{number:x}"));
        let new = |number| New { record: record(number), key: Some(key(number)), already: 0 };
        trail.append_all(&mut (0..many).map(new).collect()).unwrap();
        trail.checkpoint().unwrap();
        drop(trail);
        let trail = open(directory.path());
        assert!((0..many).all(|number| trail.holds(&record(number), &key(number))), "{many}");
    }
}
