//! Exact sums over counts that the kernel only ever raises.

use std::collections::HashMap;

/// Per kind of act: the record that told it first, and how much has been told since.
#[derive(Debug, Default)]
pub struct Tally {
    told: HashMap<String, Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    first: u64,
    since: u64,
}

impl Tally {
    /// A record told this kind for the first time.
    pub fn first(&mut self, key: String, id: u64, already: u64) {
        self.told.insert(key, Told { first: id, since: already });
    }

    /// A record told this many repeats.
    pub fn repeated(&mut self, key: &str, count: u64) {
        if let Some(told) = self.told.get_mut(key) {
            told.since += count;
        }
    }

    /// What has not been told yet of a total: the first record's id and the number. `None` when nothing is new, or
    /// when the kind has no first record.
    pub fn due(&self, key: &str, total: u64) -> Option<(u64, u64)> {
        let told = self.told.get(key)?;
        let due = total.checked_sub(told.since).filter(|due| *due > 0)?;
        Some((told.first, due))
    }

    /// Whether a total is more than has been told.
    pub fn is_new(&self, key: &str, total: u64) -> bool {
        total > self.told.get(key).map_or(0, |told| told.since)
    }

    /// The first record of a kind.
    pub fn first_of(&self, key: &str) -> Option<u64> {
        self.told.get(key).map(|told| told.first)
    }

    /// Every kind: its key, its first record, and how much of the kernel's count has been told.
    pub fn kinds(&self) -> impl Iterator<Item = (&String, u64, u64)> {
        self.told.iter().map(|(key, told)| (key, told.first, told.since))
    }

    /// Whether this kind has a first record.
    pub fn knows(&self, key: &str) -> bool {
        self.told.contains_key(key)
    }
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
}
