//! Maps by the kernel's keys of kinds of acts, which are looked up for each event: the usual hash takes longer than all else
//! that is done with an entry.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A map by numbers.
pub(crate) type Keyed<V> = HashMap<u64, V, Mixing>;

/// Hashes numbers by one multiplication with a secret: services choose what they touch, but not where that is put here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixing(u64);

impl Default for Mixing {
    fn default() -> Mixing {
        Mixing(RandomState::new().hash_one(0_u64))
    }
}

impl BuildHasher for Mixing {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed(self.0)
    }
}

/// A hash that is being made.
#[derive(Debug)]
pub(crate) struct Mixed(u64);

impl Hasher for Mixed {
    fn write_u64(&mut self, number: u64) {
        // Both halves of the product, so that each bit of the number changes bits at both ends.
        let product = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn neighbours_and_multiples_are_spread() {
        let mixing = Mixing::default();
        for step in [1_u64, 8, 1 << 20, 1 << 48] {
            let all: Vec<u64> = (0..4096_u64).map(|number| mixing.hash_one(number.wrapping_mul(step))).collect();
            // What the map goes by: the lowest bits for the place, the highest for the tag.
            let (low, high): (HashSet<u64>, HashSet<u64>) = all.iter().map(|hash| (hash % 4096, hash >> 57)).unzip();
            assert!(low.len() > 2_000 && high.len() > 100, "{step}: {} and {}", low.len(), high.len());
        }
    }
}
