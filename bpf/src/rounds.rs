//! Reading back little by little. Each reading compares what services may do, what labels mean, small tables of patterns and
//! addresses, and which links are pinned; of the other tables it compares a part, and once in a round of readings everything
//! has been compared, and each link followed to its program. Walking through two large tables, most of whose buckets are
//! empty, was most of what the daemon did while nothing happened.

use std::collections::BTreeMap;

use libbpf_rs::{MapCore as _, MapType};

use crate::entries::Entries;
use crate::kernel::{Hook, KernelError};
use crate::load::Attached;
use crate::tables::Tables;

/// Readings that make a round.
const PARTS: usize = 6;
/// Fewer entries than this are not worth a call of their own.
const LEAST: usize = 16;
/// A map whose empty places cost nothing is compared each time when the revision has no more entries for it.
const FEW: usize = 64;

/// A hook, and what is wrong with its link.
type Found = (Hook, Option<String>);

/// How far this round has come.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    /// Readings of this round that are over.
    turn: usize,
    /// The pins of links when all led to what they should, and what that was.
    links: Option<(BTreeMap<String, u64>, Vec<Found>)>,
    maps: BTreeMap<&'static str, Walk>,
}

/// How far a map has been walked through in this round.
#[derive(Debug, Default)]
struct Walk {
    /// Where it goes on; nothing at the beginning.
    from: Option<Vec<u8>>,
    is_over: bool,
    /// Where the kernel shows the entries of the revision, by their places there: it does so in the same order each time, so that
    /// one that is missing is noticed where it was, and not at the end.
    order: Vec<usize>,
    /// The order is known, of a round before.
    is_known: bool,
    /// Entries of the revision that were there so far, and all entries that were shown.
    held: usize,
    shown: usize,
    /// How many all were in the round before.
    size: usize,
    /// Something was wrong when the whole map was compared last.
    differs: bool,
}

impl Rounds {
    /// Another revision is in the maps, and was compared with them.
    pub(crate) fn begin_anew(&mut self) {
        self.turn = 0;
        self.maps.clear();
    }

    /// Another reading is over.
    pub(crate) fn turn(&mut self) {
        self.turn = (self.turn + 1) % PARTS;
        if self.turn == 0 {
            self.maps.values_mut().for_each(Walk::begin_again);
        }
    }

    /// Every hook. Where the pins are the same files as when their links were read, they lead to the same links, and a link
    /// to the same program: these are read once in a round, or `whole`.
    pub(crate) fn hooks(&mut self, attached: &Attached, whole: bool) -> Vec<Found> {
        // Before the links are read: what is put in a pin's place meanwhile is another file the next time.
        let pins = attached.set().link_pins();
        if !whole
            && self.turn > 0
            && let Some((known, found)) = &self.links
            && *known == pins
        {
            return found.clone();
        }
        let found = attached.hooks();
        self.links = found.iter().all(|(_, wrong)| wrong.is_none()).then(|| (pins, found.clone()));
        found
    }

    /// How a map differs from the revision, as far as this reading goes. Whatever is wrong is looked at as a whole, until it is
    /// right again.
    pub(crate) fn compare(
        &mut self,
        tables: &Tables,
        (map, entries): (&'static str, &Entries),
        slot: u32,
        whole: bool,
    ) -> Result<Vec<String>, KernelError> {
        let is_cheap = match tables.get(map)?.map_type() {
            MapType::Array => true,
            // All its buckets are walked through, however few of them hold something.
            MapType::Hash => false,
            _ => entries.len() <= FEW,
        };
        let to_the_end = is_cheap || self.turn + 1 == PARTS;
        let walk = self.maps.entry(map).or_default();
        if is_cheap {
            walk.begin_again();
        }
        if !whole && !walk.differs && !walk.goes_wrong(tables, (map, entries), slot, to_the_end)? {
            return Ok(Vec::new());
        }
        let told = tables.compare(map, entries, slot)?;
        if !whole || !told.is_empty() {
            *walk = Walk { differs: !told.is_empty(), ..Walk::default() };
        }
        Ok(told)
    }
}

impl Walk {
    fn begin_again(&mut self) {
        let has_not_begun = self.from.is_none() && self.held == 0;
        let (order, is_known) = (std::mem::take(&mut self.order), self.is_over || (self.is_known && has_not_begun));
        *self = Walk { order, is_known, size: self.shown, differs: self.differs, ..Walk::default() };
    }

    /// Goes on; whether something is not as it should be. The first walk, which learns the order, goes to the end.
    fn goes_wrong(
        &mut self,
        tables: &Tables,
        (map, entries): (&str, &Entries),
        slot: u32,
        to_the_end: bool,
    ) -> Result<bool, KernelError> {
        if self.is_over {
            return Ok(false);
        }
        let is_learning = !self.is_known;
        if is_learning {
            self.order.clear();
        }
        let most = if to_the_end || is_learning { usize::MAX } else { (self.size / PARTS + 1).max(LEAST) };
        let (mut held, mut is_wrong) = (self.held, false);
        let (shown, ended) = tables.some(map, (entries, slot), &mut self.from, most, |key, value| {
            if is_learning && let Ok(place) = entries.position(key) {
                self.order.push(place);
            }
            match self.order.get(held) {
                Some(place) if entries.at(*place) == (key, value) => held += 1,
                _ => is_wrong = true,
            }
        })?;
        (self.held, self.shown, self.is_over) = (held, self.shown + shown, ended);
        if is_learning && ended && !to_the_end {
            // What is changed behind this walk is found in the rest of the round: the last reading goes to the end.
            self.begin_again();
        }
        Ok(is_wrong || (ended && held != entries.len()))
    }
}

#[cfg(test)]
#[path = "rounds/native_tests.rs"]
mod native_tests;
