//! Two processes that want to write one trail: one does, the other leaves what it has to say beside it, and the chain is one.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use actors::record::{Kind, Record};
use actors::trail::verify::verify;
use actors::trail::{Trail, aside, walk};

const TRAIL: &str = "BARTIZAN_TEST_TRAIL";

fn plain(text: &str) -> Record {
    Record::plain(Kind::Lifecycle, text.to_owned())
}

/// Writes one record, and more for each line that it reads: the other process.
#[test]
#[ignore = "is run by the tests below"]
fn writer() {
    let place = std::env::var(TRAIL).unwrap();
    let mut trail = Trail::open(place.into(), "1-").unwrap();
    trail.append(plain("by the writer"), None, 0).unwrap();
    println!("\nwrites");
    for line in std::io::stdin().lines() {
        trail.tend().unwrap();
        let taken = trail.take_news().len();
        trail.append(plain(&line.unwrap()), None, 0).unwrap();
        println!("\ntook {taken}");
    }
}

struct Writer {
    child: Child,
    said: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Writer {
    fn start(place: &Path) -> Writer {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "--nocapture", "locking::writer"]).env(TRAIL, place);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut writer = Writer { child, said };
        writer.until("writes");
        writer
    }

    fn until(&mut self, word: &str) -> String {
        self.said.by_ref().map(Result::unwrap).find(|line| line.starts_with(word)).unwrap()
    }

    fn append(&mut self, text: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{text}").unwrap();
        self.until("took")
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn told(place: &Path) -> Vec<String> {
    let mut found = Vec::new();
    walk(place, 0, &mut |record| {
        found.push(record.message.to_string());
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    let report = verify(place, None).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    found
}

#[test]
fn who_cannot_write_the_trail_leaves_a_record_that_its_writer_takes_in() {
    let place = tempfile::tempdir().unwrap();
    let mut writer = Writer::start(place.path());
    let refused = Trail::open(place.path().to_owned(), "1-").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WouldBlock, "{refused}");
    for text in ["one", "two"] {
        aside::put(place.path(), &plain(text)).unwrap();
    }
    let notes = verify(place.path(), None).unwrap().notes;
    assert!(notes.iter().any(|note| note.starts_with("2 records wait beside the trail")), "{notes:?}");
    assert_eq!(writer.append("three"), "took 2");
    assert_eq!(writer.append("four"), "took 0");
    assert_eq!(told(place.path()), ["by the writer", "one", "two", "three", "four"]);
    assert_eq!(std::fs::read_dir(place.path().join("aside")).unwrap().count(), 0);
}

#[test]
fn after_the_writer_was_killed_the_next_one_takes_it_in_once() {
    let place = tempfile::tempdir().unwrap();
    let writer = Writer::start(place.path());
    let file = aside::put(place.path(), &plain("one")).unwrap();
    let text = std::fs::read(&file).unwrap();
    drop(writer);
    let mut trail = Trail::open(place.path().to_owned(), "1-").unwrap();
    assert_eq!(trail.take_news().len(), 1);
    drop(trail);
    // As a crash between the writing and the removal leaves it; and something that is no record.
    std::fs::write(&file, text).unwrap();
    std::fs::write(file.with_file_name("x.json"), "{").unwrap();
    let mut trail = Trail::open(place.path().to_owned(), "1-").unwrap();
    trail.append(plain("two"), None, 0).unwrap();
    drop(trail);
    let told = told(place.path());
    assert_eq!(
        told,
        ["by the writer", "one", "The file x.json beside the audit trail is no record, and was set aside", "two"]
    );
}
