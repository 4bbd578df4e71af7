//! Exact sums over counts that the kernel only ever raises.

use std::collections::{BTreeMap, HashMap};

use crate::keyed::Keyed;

/// Per kind of act: the record that told it first, and how much has been told since.
#[derive(Debug, Default)]
pub struct Tally {
    /// Nearly all kinds are numbers of the kernel, of which there are many: by the load and the number.
    acts: BTreeMap<u64, Keyed<Told>>,
    others: HashMap<String, Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    first: u64,
    since: u64,
}

impl Tally {
    /// A record told this kind for the first time.
    pub fn first(&mut self, key: String, id: u64, already: u64) {
        let told = Told { first: id, since: already };
        match of_act(&key) {
            Some((load, number)) => self.acts.entry(load).or_default().insert(number, told),
            None => self.others.insert(key, told),
        };
    }

    fn get(&self, key: &str) -> Option<&Told> {
        match of_act(key) {
            Some((load, number)) => self.acts.get(&load)?.get(&number),
            None => self.others.get(key),
        }
    }

    /// A record told this many repeats.
    pub fn repeated(&mut self, key: &str, count: u64) {
        let told = match of_act(key) {
            Some((load, number)) => self.acts.get_mut(&load).and_then(|acts| acts.get_mut(&number)),
            None => self.others.get_mut(key),
        };
        if let Some(told) = told {
            told.since += count;
        }
    }

    /// What has not been told yet of a total: the first record's id and the number. `None` when nothing is new, or
    /// when the kind has no first record.
    pub fn due(&self, key: &str, total: u64) -> Option<(u64, u64)> {
        let told = self.get(key)?;
        let due = total.checked_sub(told.since).filter(|due| *due > 0)?;
        Some((told.first, due))
    }

    /// Whether a total is more than has been told.
    pub fn is_new(&self, key: &str, total: u64) -> bool {
        total > self.get(key).map_or(0, |told| told.since)
    }

    /// The first record of a kind.
    pub fn first_of(&self, key: &str) -> Option<u64> {
        self.get(key).map(|told| told.first)
    }

    /// Every kind: its key, its first record, and how much of the kernel's count has been told.
    pub fn kinds(&self) -> impl Iterator<Item = (String, u64, u64)> {
        let acts = self
            .acts
            .iter()
            .flat_map(|(load, acts)| acts.iter().map(|(number, told)| (act_key(*load, *number), *told)));
        acts.chain(self.others.iter().map(|(key, told)| (key.clone(), *told)))
            .map(|(key, told)| (key, told.first, told.since))
    }

    /// Whether this kind has a first record.
    pub fn knows(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

/// The key of a kind of acts that the kernel numbered in a load.
pub fn act_key(load: u64, number: u64) -> String {
    format!("{load:x}-{number:x}")
}

/// The load and the number of a key that [`act_key`] made; nothing of any other.
fn of_act(key: &str) -> Option<(u64, u64)> {
    let (load, number) = key.split_once('-')?;
    Some((hex(load)?, hex(number)?))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_adds_up_to_the_total() {
        let mut tally = Tally::default();
        assert_eq!(tally.due("a", 5), None, "no first record yet");
        tally.first("a".to_owned(), 7, 0);
        assert_eq!(tally.due("a", 5), Some((7, 5)));
        assert_eq!(tally.due("a", 5), Some((7, 5)), "not told yet: writing it may have failed");
        tally.repeated("a", 5);
        assert_eq!(tally.due("a", 5), None);
        assert_eq!(tally.due("a", 9), Some((7, 4)));
        assert!(tally.is_new("a", 9) && !tally.is_new("a", 5) && tally.is_new("b", 1) && !tally.is_new("b", 0));
    }

    #[test]
    fn after_a_restart_only_the_rest_is_told() {
        let mut tally = Tally::default();
        tally.first("a".to_owned(), 7, 0);
        tally.repeated("a", 5);
        assert_eq!(tally.due("a", 9), Some((7, 4)));
    }

    #[test]
    fn keys_of_acts_are_numbers_and_all_others_texts() {
        for (load, number) in [(0, 0), (1, 0xa), (0x10, 0xff), (u64::MAX, 1 << 63), (0x123_4567, u64::MAX)] {
            let key = act_key(load, number);
            assert_eq!((key.as_str(), of_act(&key)), (format!("{load:x}-{number:x}").as_str(), Some((load, number))));
        }
        let others =
            ["", "-", "1", "1-", "-1", "01-1", "1-0a", "1-A", "1-program-2a", "aside-x", "1-11112222333344445"];
        let mut tally = Tally::default();
        for (at, key) in (1..).zip(others.into_iter().chain(["1-2a"])) {
            assert_eq!((of_act(key).is_some(), tally.first_of(key)), (key == "1-2a", None), "{key}");
            tally.first(key.to_owned(), at, 0);
            assert_eq!(tally.first_of(key), Some(at));
        }
        tally.repeated("1-2a", 5);
        let mut kinds: Vec<_> = tally.kinds().filter(|(key, ..)| key.starts_with("1-2")).collect();
        assert_eq!((kinds.pop(), kinds.pop(), tally.kinds().count()), (Some(("1-2a".to_owned(), 12, 5)), None, 12));
    }
}
