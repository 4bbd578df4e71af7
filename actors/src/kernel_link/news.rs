//! Which of the kernel's counts the audit log has yet to hear: it forgets none, and most stay as they are.

use std::collections::HashMap;

use bpf::event::Repeat;

/// So often a count is told: its kind's first act may still be on its way to the audit log.
const OFTEN: u32 = 5;
/// Each so many turns every count is told, for a first act that was on its way for longer, as on a full disk.
const ALL: u32 = 15;

/// The counts of the last turn.
#[derive(Debug, Default)]
pub(super) struct News {
    /// By kind: the count, and how often it was told.
    told: HashMap<u64, (u64, u32)>,
    turns: u32,
}

impl News {
    /// What is to be told of these, which are all that the kernel counts.
    pub(super) fn of(&mut self, mut all: Vec<Repeat>) -> Vec<Repeat> {
        let every = self.turns.is_multiple_of(ALL);
        self.turns = self.turns.wrapping_add(1);
        let told = |Repeat { key, count }: &Repeat| {
            let before = self.told.get(key).filter(|(before, _)| before == count).map_or(0, |(_, told)| *told);
            (*key, (*count, before.saturating_add(1)))
        };
        self.told = all.iter().map(told).collect();
        all.retain(|repeat| every || self.told.get(&repeat.key).is_none_or(|(_, told)| *told <= OFTEN));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_as_it_is_is_told_for_a_while_and_then_now_and_again() {
        let mut news = News::default();
        let all = |count| vec![Repeat { key: 1, count: 7 }, Repeat { key: 2, count }];
        for _ in 0..OFTEN {
            assert_eq!(news.of(all(5)), all(5));
        }
        assert_eq!(news.of(all(5)), []);
        assert_eq!(news.of(all(6)), [Repeat { key: 2, count: 6 }], "one has changed");
        for _ in 0..ALL - OFTEN - 2 {
            news.of(all(6));
        }
        assert_eq!(news.of(all(6)), all(6), "all, every few seconds");
        assert_eq!(news.of(all(6)), []);
        assert_eq!(news.of(Vec::new()), []);
        assert_eq!(news.of(all(6)), all(6), "what was gone is new");
    }
}
