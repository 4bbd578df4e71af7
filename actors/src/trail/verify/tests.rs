#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::record::{Kind, Record};
use crate::trail::{Bounds, End, Trail};

/// A chain of records over a few segments, signed at its end.
fn chain(directory: &Path, messages: &[String]) {
    let bounds = Bounds { segment: 4_000, ..Bounds::default() };
    let mut trail = Trail::open(directory.to_owned(), "1-").unwrap().bounded(bounds);
    for message in messages {
        trail.append(Record::plain(Kind::Capability, message.clone()), None, 0).unwrap();
    }
    let End { id, digest } = trail.end().unwrap();
    heads::Heads::open(directory).unwrap().sign(id, digest).unwrap();
}

fn text(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if path.extension().unwrap() != "gz" {
        return bytes;
    }
    let mut text = Vec::new();
    GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
    text
}

fn put(path: &Path, text: &[u8]) {
    if path.extension().unwrap() != "gz" {
        return fs::write(path, text).unwrap();
    }
    let mut encoder = GzEncoder::new(fs::File::create(path).unwrap(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap();
}

/// What somebody may do to a trail.
#[derive(Clone, Debug)]
enum Deed {
    Change(Index, u8),
    PutIn(Index, u8),
    TakeOut(Index),
    Cut(Index),
    Remove(Index),
    Twice(Index),
    Swap(Index, Index),
    RemoveFile,
    RemoveAll,
    BreakFile(Index),
}

impl Deed {
    /// Does it to a file; whether anything is different then.
    fn done(&self, path: &Path, all: &[PathBuf]) -> bool {
        let before = text(path);
        let mut after = before.clone();
        let mut lines: Vec<&[u8]> = before.split_inclusive(|byte| *byte == b'\n').collect();
        match self {
            Deed::Change(at, byte) => after[at.index(before.len())] ^= (*byte).max(1),
            Deed::PutIn(at, byte) => after.insert(at.index(before.len() + 1), *byte),
            Deed::TakeOut(at) => drop(after.remove(at.index(before.len()))),
            Deed::Cut(at) => after.truncate(at.index(before.len())),
            Deed::Remove(at) => drop(lines.remove(at.index(lines.len()))),
            Deed::Twice(at) => lines.insert(at.index(lines.len()), lines[at.index(lines.len())]),
            Deed::Swap(one, other) => {
                let (one, other) = (one.index(lines.len()), other.index(lines.len()));
                lines.swap(one, other);
            }
            Deed::RemoveFile => fs::remove_file(path).unwrap(),
            Deed::RemoveAll => all.iter().for_each(|path| fs::remove_file(path).unwrap()),
            Deed::BreakFile(at) => {
                let bytes = fs::read(path).unwrap();
                fs::write(path, &bytes[..at.index(bytes.len())]).unwrap();
            }
        }
        if matches!(self, Deed::RemoveFile | Deed::RemoveAll | Deed::BreakFile(_)) {
            // Without its last line feed the newest file still has all of its records.
            return text_if_readable(path).is_none_or(|left| left != before[..before.len() - 1]);
        }
        if matches!(self, Deed::Remove(_) | Deed::Twice(_) | Deed::Swap(..)) {
            after = lines.concat();
        }
        put(path, &after);
        // Behind the last record of the newest file such is a line that was being written.
        let begun =
            after.starts_with(&before) && !after.ends_with(b"\n") && all.last().is_some_and(|last| last == path);
        !begun && after != before && after != before[..before.len() - 1]
    }
}

fn text_if_readable(path: &Path) -> Option<Vec<u8>> {
    (path.exists() && path.extension()? != "gz").then(|| text(path))
}

fn deed() -> impl Strategy<Value = Deed> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Deed::Change(at, byte)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Deed::PutIn(at, byte)),
        1 => at().prop_map(|at| Deed::PutIn(at, b'\n')),
        2 => at().prop_map(Deed::TakeOut),
        2 => at().prop_map(Deed::Cut),
        2 => at().prop_map(Deed::Remove),
        2 => at().prop_map(Deed::Twice),
        2 => (at(), at()).prop_map(|(one, other)| Deed::Swap(one, other)),
        1 => Just(Deed::RemoveFile),
        1 => Just(Deed::RemoveAll),
        1 => at().prop_map(Deed::BreakFile),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn any_single_deed_is_found_and_nothing_else(
        messages in prop::collection::vec("[a-z\"\\\\é\u{7}]{0,40}", 1..25),
        which in any::<Index>(),
        deed in deed(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        chain(directory.path(), &messages);
        let whole = verify(directory.path(), None).unwrap();
        prop_assert_eq!(&whole.findings, &[]);
        prop_assert_eq!((whole.records, whole.heads), (messages.len() as u64, 1));
        let all: Vec<PathBuf> = list(directory.path()).unwrap().into_iter().map(|segment| segment.path).collect();
        let path = &all[which.index(all.len())];
        if deed.done(path, &all) {
            let report = verify(directory.path(), None).unwrap();
            prop_assert!(!report.findings.is_empty(), "{:?} in {} was not found: {:?}", deed, path.display(), report);
        }
    }
}

fn messages(number: usize) -> Vec<String> {
    (1..=number).map(|number| format!("number {number}")).collect()
}

#[test]
fn the_place_of_a_change_is_named() {
    let directory = tempfile::tempdir().unwrap();
    chain(directory.path(), &messages(5));
    let segment = list(directory.path()).unwrap().remove(0);
    let whole = String::from_utf8(text(&segment.path)).unwrap();
    put(&segment.path, whole.replace("number 3", "number 8").as_bytes());
    let found = verify(directory.path(), None).unwrap().findings;
    let what = "this record was changed: record 4 was written after another text of it".to_owned();
    assert_eq!(found, [Finding { file: segment.label(), line: Some(3), id: Some(3), what }]);
    put(&segment.path, whole.replace("\"number 5\"", "\"number 8\"").as_bytes());
    let found = verify(directory.path(), None).unwrap().findings;
    assert!(
        found.len() == 1 && found[0].id == Some(5) && found[0].what.contains("not the one that was signed"),
        "{found:?}"
    );
    let removed: String = whole.split_inclusive('\n').filter(|line| !line.contains("number 3")).collect();
    put(&segment.path, removed.as_bytes());
    let found = verify(directory.path(), None).unwrap().findings;
    assert!(found.len() == 1 && found[0].what == "records 3 to 3 are missing before this one", "{found:?}");
}

#[test]
fn only_trusted_keys_prove_anything() {
    let directory = tempfile::tempdir().unwrap();
    chain(directory.path(), &messages(3));
    let copy = directory.path().join("copy");
    fs::copy(heads::public_file(directory.path()), &copy).unwrap();
    // Somebody makes a new chain with a key of their own.
    fs::remove_dir_all(directory.path().join("heads")).unwrap();
    list(directory.path()).unwrap().iter().for_each(|segment| fs::remove_file(&segment.path).unwrap());
    chain(directory.path(), &messages(3));
    assert_eq!(verify(directory.path(), None).unwrap().findings, []);
    let found = verify(directory.path(), Some(&copy)).unwrap().findings;
    assert!(found.len() == 1 && found[0].what.contains("a key that is not in"), "{found:?}");
    assert!(verify(directory.path(), Some(&directory.path().join("none"))).is_err());
    assert!(verify(&directory.path().join("none"), None).is_err(), "no trail is not a whole trail");
}

#[test]
fn signed_heads_that_were_touched_are_findings() {
    let directory = tempfile::tempdir().unwrap();
    chain(directory.path(), &messages(3));
    let file = heads::signed_file(directory.path());
    let signed = fs::read_to_string(&file).unwrap();
    for wrong in [signed.replace("\"id\":3", "\"id\":2"), signed[..40].to_owned()] {
        fs::write(&file, wrong).unwrap();
        let found = verify(directory.path(), None).unwrap().findings;
        assert!(found.len() == 1 && found[0].file == "heads/signed" && found[0].line == Some(1), "{found:?}");
    }
}
