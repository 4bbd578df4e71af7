//! What a map holds or has to hold, as one piece of memory: most entries are a few bytes, and there are thousands of them.

/// Keys and values of one map, all of one length, in the order of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// Each key with its value behind it.
    bytes: Vec<u8>,
    /// How long a key is, and how long both together are.
    key: usize,
    entry: usize,
}

impl Entries {
    /// None yet.
    pub(crate) fn new(key: usize, value: usize) -> Entries {
        Entries { bytes: Vec::new(), key, entry: key + value }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.entry.max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Each key with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.bytes.chunks_exact(self.entry.max(1)).map(|entry| entry.split_at(self.key))
    }

    /// Where a key is, or where it would be.
    pub(crate) fn position(&self, key: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high, wanted) = (0, self.len(), head(key));
        while low < high {
            let middle = usize::midpoint(low, high);
            let found = self.at(middle).0;
            match head(found).cmp(&wanted).then_with(|| found.cmp(key)) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }

    /// Key and value at a place; empty beyond the last.
    pub(crate) fn at(&self, place: usize) -> (&[u8], &[u8]) {
        let from = place * self.entry;
        let entry = self.bytes.get(from..from + self.entry).unwrap_or_default();
        entry.split_at_checked(self.key).unwrap_or_default()
    }

    /// Sets the value of a key. Both are as long as those of the others.
    pub(crate) fn set(&mut self, key: &[u8], value: &[u8]) {
        let place = self.position(key);
        let from = place.unwrap_or_else(|place| place) * self.entry;
        let replaced = if place.is_ok() { self.entry } else { 0 };
        self.bytes.splice(from..from + replaced, key.iter().chain(value).copied());
    }

    /// Adds one at the end, wherever it belongs: [`Entries::sort`] has to follow.
    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }

    /// Puts all in order; of those with the same key the last stays.
    pub(crate) fn sort(&mut self) {
        let mut order: Vec<(&[u8], &[u8])> = self.iter().collect();
        order.sort_by_key(|(key, _)| *key);
        let next = order.iter().skip(1).map(|(key, _)| Some(*key)).chain([None]);
        let last = order.iter().zip(next).filter(|((key, _), next)| *next != Some(*key));
        let sorted = last.flat_map(|((key, value), _)| key.iter().chain(*value).copied());
        let mut bytes = Vec::with_capacity(self.bytes.len());
        bytes.extend(sorted);
        self.bytes = bytes;
    }
}

/// What a key begins with, as a number that is ordered as the bytes are: most keys differ here, and it is compared at once.
fn head(key: &[u8]) -> u64 {
    match (key.first_chunk(), key.first_chunk()) {
        (Some(eight), _) => u64::from_be_bytes(*eight),
        (None, Some(four)) => u64::from(u32::from_be_bytes(*four)) << 32,
        (None, None) => 0,
    }
}

impl FromIterator<(Vec<u8>, Vec<u8>)> for Entries {
    fn from_iter<I: IntoIterator<Item = (Vec<u8>, Vec<u8>)>>(all: I) -> Entries {
        let mut entries = Entries::default();
        for (key, value) in all {
            (entries.key, entries.entry) = (key.len(), key.len() + value.len());
            entries.push(&key, &value);
        }
        entries.sort();
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(all: &[(&str, &str)]) -> Entries {
        all.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn entries_are_in_order_and_the_last_of_a_key_counts() {
        let mut found = entries(&[("bb", "1"), ("aa", "2"), ("bb", "3"), ("cc", "4")]);
        assert_eq!(found, entries(&[("aa", "2"), ("bb", "3"), ("cc", "4")]));
        assert_eq!((found.len(), found.position(b"bb"), found.position(b"b~")), (3, Ok(1), Err(2)));
        assert_eq!((found.at(2), found.at(3)), ((&b"cc"[..], &b"4"[..]), (&b""[..], &b""[..])));
        found.set(b"bb", b"5");
        found.set(b"ab", b"6");
        assert_eq!(found, entries(&[("aa", "2"), ("ab", "6"), ("bb", "5"), ("cc", "4")]));
    }

    #[test]
    fn none_are_none() {
        let none = Entries::default();
        assert!(none.is_empty() && none.iter().next().is_none());
        assert_eq!(none.len(), 0);
        assert_eq!((none.position(b"a"), none.at(0)), (Err(0), (&b""[..], &b""[..])));
    }
}
