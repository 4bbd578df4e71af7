//! Records as they come.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::served::{Served, refusal};

/// Follows, and gives every line of the answer.
fn follow(served: &Served, query: &str, more: &str) -> impl Iterator<Item = String> + use<> {
    let mut stream = UnixStream::connect(served.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!("GET /v1/audits/stream?{query} HTTP/1.1\r\nhost: x\r\n{more}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    BufReader::new(stream).lines().map_while(Result::ok)
}

/// The path that the next record is about.
fn next(lines: &mut impl Iterator<Item = String>) -> String {
    let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).expect("a record");
    let record: serde_json::Value = serde_json::from_str(&data).unwrap();
    record["path"].as_str().unwrap().to_owned()
}

#[test]
fn records_come_as_they_are_made_and_the_daemon_ends_at_once() {
    let mut served = Served::start();
    served.put(refusal(1, "SHELL", "/before"));
    let mut lines = follow(&served, "capability=SHELL", "");
    assert!(lines.any(|line| line == ": following"), "the head comes at once");
    served.put(refusal(2, "SSH", "/another"));
    served.put(refusal(3, "SHELL", "/one"));
    assert_eq!(next(&mut lines), "/one", "not what was before, nor what is not wanted");
    served.put(refusal(4, "SHELL", "/two"));
    assert_eq!(next(&mut lines), "/two");
    assert!(served.end() < Duration::from_secs(5), "who follows does not hold the daemon back");
    assert_eq!(lines.find(|line| line.starts_with("data: ")), None, "and is let go of");
}

#[test]
fn a_client_that_comes_back_misses_nothing() {
    let served = Served::start();
    for (minute, path) in (0..).zip(["/one", "/two", "/three"]) {
        served.put(refusal(minute, "SHELL", path));
    }
    let mut lines = follow(&served, "after=0&service=web&kind=capability", "");
    assert_eq!(next(&mut lines), "/one");
    let id = lines.find_map(|line| line.strip_prefix("id: ").map(str::to_owned)).unwrap();
    let mut again = follow(&served, "after=0&service=web&kind=capability", &format!("last-event-id: {id}\r\n"));
    assert_eq!(next(&mut again), "/three");
}

#[test]
fn not_everybody_may_follow() {
    let served = Served::start();
    let mut followers: Vec<_> = (0..16).map(|_| follow(&served, "after=0", "")).collect();
    for lines in &mut followers {
        assert!(lines.any(|line| line == ": following"));
    }
    let refused: Vec<String> = follow(&served, "after=0", "connection: close\r\n").collect();
    assert!(refused[0].contains("503") && refused.iter().any(|line| line.contains("16 follow already")), "{refused:?}");
}
