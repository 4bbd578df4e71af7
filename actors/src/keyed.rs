//! Maps by the kernel's keys of kinds of acts, and by words of records, which are looked up for each event: the usual hash takes
//! longer than all else that is done with an entry.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use foldhash::SharedSeed;
use foldhash::fast::{FoldHasher, SeedableRandomState};

/// A map by numbers.
pub(crate) type Keyed<V> = HashMap<u64, V, Mixing>;

/// Hashes by multiplications with secrets: services choose what they touch and how they are called, but not where that is put
/// here.
#[derive(Clone, Debug)]
pub(crate) struct Mixing(SeedableRandomState);

impl Default for Mixing {
    fn default() -> Mixing {
        // By itself foldhash takes addresses and the time for a seed, which others may guess.
        let secret = RandomState::new().hash_one(0_u64);
        Mixing(SeedableRandomState::with_seed(secret, SharedSeed::global_random()))
    }
}

impl BuildHasher for Mixing {
    type Hasher = FoldHasher<'static>;

    fn build_hasher(&self) -> FoldHasher<'static> {
        self.0.build_hasher()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// What the map goes by: the lowest bits for the place, the highest for the tag.
    fn is_spread(all: impl Iterator<Item = u64>, what: impl std::fmt::Display) {
        let (low, high): (HashSet<u64>, HashSet<u64>) = all.map(|hash| (hash % 4096, hash >> 57)).unzip();
        assert!(low.len() > 2_000 && high.len() > 100, "{what}: {} and {}", low.len(), high.len());
    }

    #[test]
    fn neighbours_and_multiples_are_spread() {
        let mixing = Mixing::default();
        for step in [1_u64, 8, 1 << 20, 1 << 48] {
            is_spread((0..4096_u64).map(|number| mixing.hash_one(number.wrapping_mul(step))), step);
        }
        is_spread((0..4096).map(|number| mixing.hash_one(format!("capability\ndeny\nservice-{number}"))), "words");
    }

    #[test]
    fn each_map_has_its_own_secret() {
        assert_ne!(Mixing::default().hash_one(7_u64), Mixing::default().hash_one(7_u64));
    }
}
