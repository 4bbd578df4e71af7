//! Exact sums over counts that the kernel only ever raises.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::{Serialize, Serializer};

use crate::keyed::Keyed;

/// Names a kind of acts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Nearly all kinds are numbers that the kernel gave, since its programs were loaded.
    Act {
        /// Names the load.
        load: u64,
        /// The kernel's number.
        number: u64,
    },
    /// A text that does not look like one of those.
    Other(Box<str>),
}

impl fmt::Display for Key {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Act { load, number } => write!(to, "{load:x}-{number:x}"),
            Key::Other(text) => to.write_str(text),
        }
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Key {
        let act = || {
            let (load, number) = text.split_once('-')?;
            Some(Key::Act { load: hex(load)?, number: hex(number)? })
        };
        act().unwrap_or_else(|| Key::Other(text.into()))
    }
}

impl From<String> for Key {
    fn from(text: String) -> Key {
        text.as_str().into()
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// A number as `{:x}` writes it, and nothing else.
fn hex(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > 16 || bytes.len() > 1 && bytes.starts_with(b"0") {
        return None;
    }
    bytes.iter().try_fold(0, |number, byte| match byte {
        b'0'..=b'9' => Some(number << 4 | u64::from(byte - b'0')),
        b'a'..=b'f' => Some(number << 4 | u64::from(byte - b'a' + 10)),
        _ => None,
    })
}

/// Per kind of act: the record that told it first, and how much has been told since.
#[derive(Debug, Default)]
pub struct Tally {
    /// By the load and the number.
    acts: BTreeMap<u64, Keyed<Told>>,
    others: HashMap<Box<str>, Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    first: u64,
    since: u64,
}

impl Tally {
    /// A record told this kind for the first time.
    pub fn first(&mut self, key: Key, id: u64, already: u64) {
        let told = Told { first: id, since: already };
        match key {
            Key::Act { load, number } => self.acts.entry(load).or_default().insert(number, told),
            Key::Other(text) => self.others.insert(text, told),
        };
    }

    fn get(&self, key: &Key) -> Option<&Told> {
        match key {
            Key::Act { load, number } => self.acts.get(load)?.get(number),
            Key::Other(text) => self.others.get(text),
        }
    }

    /// A record told this many repeats.
    pub fn repeated(&mut self, key: &Key, count: u64) {
        let told = match key {
            Key::Act { load, number } => self.acts.get_mut(load).and_then(|acts| acts.get_mut(number)),
            Key::Other(text) => self.others.get_mut(text),
        };
        if let Some(told) = told {
            told.since += count;
        }
    }

    /// What has not been told yet of a total: the first record's id and the number. `None` when nothing is new, or
    /// when the kind has no first record.
    pub fn due(&self, key: &Key, total: u64) -> Option<(u64, u64)> {
        let told = self.get(key)?;
        let due = total.checked_sub(told.since).filter(|due| *due > 0)?;
        Some((told.first, due))
    }

    /// Whether a total is more than has been told.
    pub fn is_new(&self, key: &Key, total: u64) -> bool {
        total > self.get(key).map_or(0, |told| told.since)
    }

    /// The first record of a kind.
    pub fn first_of(&self, key: &Key) -> Option<u64> {
        self.get(key).map(|told| told.first)
    }

    /// Every kind: its key, its first record, and how much of the kernel's count has been told.
    pub fn kinds(&self) -> impl Iterator<Item = (Key, u64, u64)> {
        let acts = self.acts.iter().flat_map(|(load, acts)| {
            acts.iter().map(|(number, told)| (Key::Act { load: *load, number: *number }, *told))
        });
        acts.chain(self.others.iter().map(|(text, told)| (Key::Other(text.clone()), *told)))
            .map(|(key, told)| (key, told.first, told.since))
    }

    /// Whether this kind has a first record.
    pub fn knows(&self, key: &Key) -> bool {
        self.get(key).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_adds_up_to_the_total() {
        let (mut tally, a) = (Tally::default(), Key::from("a"));
        assert_eq!(tally.due(&a, 5), None, "no first record yet");
        tally.first(a.clone(), 7, 0);
        assert_eq!(tally.due(&a, 5), Some((7, 5)));
        assert_eq!(tally.due(&a, 5), Some((7, 5)), "not told yet: writing it may have failed");
        tally.repeated(&a, 5);
        assert_eq!(tally.due(&a, 5), None);
        assert_eq!(tally.due(&a, 9), Some((7, 4)));
        let b = Key::from("b");
        assert!(tally.is_new(&a, 9) && !tally.is_new(&a, 5) && tally.is_new(&b, 1) && !tally.is_new(&b, 0));
    }

    #[test]
    fn after_a_restart_only_the_rest_is_told() {
        let (mut tally, a) = (Tally::default(), Key::from("a"));
        tally.first(a.clone(), 7, 0);
        tally.repeated(&a, 5);
        assert_eq!(tally.due(&a, 9), Some((7, 4)));
    }

    #[test]
    fn keys_of_acts_are_numbers_and_all_others_texts() {
        for (load, number) in [(0, 0), (1, 0xa), (0x10, 0xff), (u64::MAX, 1 << 63), (0x123_4567, u64::MAX)] {
            let key = Key::Act { load, number };
            assert_eq!(key.to_string(), format!("{load:x}-{number:x}"));
            assert_eq!(Key::from(key.to_string()), key);
        }
        let others =
            ["", "-", "1", "1-", "-1", "01-1", "1-0a", "1-A", "1-program-2a", "aside-x", "1-11112222333344445"];
        let mut tally = Tally::default();
        for (at, text) in (1..).zip(others.into_iter().chain(["1-2a"])) {
            let key = Key::from(text);
            assert_eq!((matches!(key, Key::Act { .. }), key.to_string().as_str()), (text == "1-2a", text));
            assert_eq!(tally.first_of(&key), None, "{text}");
            tally.first(key.clone(), at, 0);
            assert_eq!(tally.first_of(&key), Some(at));
        }
        tally.repeated(&"1-2a".into(), 5);
        let mut kinds: Vec<_> = tally.kinds().filter(|(key, ..)| key.to_string().starts_with("1-2")).collect();
        assert_eq!((kinds.pop(), kinds.pop(), tally.kinds().count()), (Some(("1-2a".into(), 12, 5)), None, 12));
    }
}
