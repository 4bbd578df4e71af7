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

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below.max(1)).unwrap()).unwrap()
    }

    /// Some bytes more, fewer or other ones, or the end of another input.
    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.roll(bytes.len() + 1);
        let many = self.roll(16) + 1;
        match self.roll(6) {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_slice(other.get(self.roll(other.len())..).unwrap_or_default()),
            2 => drop(bytes.splice(at..at, std::iter::repeat_n(self.roll(256) as u8, many))),
            3 => drop(bytes.drain(at..(at + many).min(bytes.len()))),
            4 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (many % 8)),
            _ => bytes.iter_mut().skip(at).take(many).for_each(|byte| *byte = [0, 0x7f, 0x80, 0xff][many % 4]),
        }
    }
}

/// What has gone through a door without harm goes through it again, changed, so many times; with `BARTIZAN_FUZZ_SECONDS` for so long.
/// The fuzzers themselves take a nightly compiler, and go where this never comes.
fn change(name: &str, door: fn(&[u8]), times: usize) {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let inputs: Vec<Vec<u8>> = files.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let seconds = std::env::var("BARTIZAN_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let end = seconds.map(|seconds| std::time::Instant::now() + std::time::Duration::from_secs(seconds));
    let (mut dice, mut done) = (Dice(0x9e37_79b9_7f4a_7c15), 0);
    while end.map_or(done < times, |end| std::time::Instant::now() < end) {
        let mut bytes = inputs[dice.roll(inputs.len())].clone();
        for _ in 0..=dice.roll(4) {
            let other = &inputs[dice.roll(inputs.len())];
            dice.change(&mut bytes, other);
        }
        if let Err(panicked) = std::panic::catch_unwind(|| door(&bytes)) {
            println!("{name}, after {done} others: {bytes:?}");
            std::panic::resume_unwind(panicked);
        }
        done += 1;
    }
    println!("{name}: {done} changed inputs");
}

#[test]
fn changed_inputs_do_no_harm_either() {
    change("event", doors::event, 5_000);
    change("model", doors::model, 5_000);
    change("policy", doors::policy, 500);
    change("api", doors::api, 200);
}
