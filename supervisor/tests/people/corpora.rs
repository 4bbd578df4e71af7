//! What fuzzers have found, and what they begin with: none of it makes anything panic.

use std::path::Path;

use crate::doors;

fn replay(name: &str, door: fn(&[u8])) {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut count = 0;
    for entry in std::fs::read_dir(&place).unwrap() {
        let path = entry.unwrap().path();
        // When it panics, this says on what.
        println!("{}", path.display());
        door(&std::fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count >= 5, "{name}: only {count}");
}

#[test]
fn requests() {
    replay("api", doors::api);
}

#[test]
fn records_of_rings() {
    replay("event", doors::event);
}

#[test]
fn models() {
    replay("model", doors::model);
}

#[test]
fn policies() {
    replay("policy", doors::policy);
}
