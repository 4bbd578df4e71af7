//! How often the kernel decided what, counted from what it tells: first acts, their repeats, and floods.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bpf::event::{Act, Event, Flood, Repeat, Why};
use policy::access::Access;

use crate::keyed::Keyed;
use crate::record::verdict;

/// Kinds of acts that are kept to tell whose repeats are counted; the kernel counts no more at a time (`BZ_SEEN`).
const KINDS_MAX: usize = 1 << 16;

/// What a decision was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    /// Why it was recorded: `capability`, `outbound`, …; `earlier` for repeats of what was told before the daemon started.
    pub why: &'static str,
    /// How the object was touched; `earlier` likewise.
    pub access: &'static str,
    /// `deny` or `audit`; `earlier` likewise.
    pub verdict: &'static str,
}

const EARLIER: Class = Class { why: "earlier", access: "earlier", verdict: "earlier" };

/// Counts since the daemon started. Copies count together.
#[derive(Clone, Debug, Default)]
pub struct Decisions(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    /// A few dozen at most.
    totals: Vec<(Class, u64)>,
    events: BTreeMap<&'static str, u64>,
    /// Which class a kind of act is of, as its place among the totals, by the kernel's key.
    kinds: Keyed<u16>,
    /// What has been counted of each of the kernel's totals.
    repeats: Keyed<u64>,
    floods: HashMap<(String, Class, Option<u8>), u64>,
    /// Kinds that were told before the daemon started.
    earlier: HashSet<u64>,
    begun: bool,
}

impl Decisions {
    /// Counts what the kernel told once it has been taken care of.
    pub fn event(&self, event: &Event) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = match event {
            Event::Violation(_) => "violation",
            Event::Observation(_) => "observation",
            Event::ServiceSeen { .. } => "service",
        };
        *counted.events.entry(name).or_default() += 1;
        if let Event::Violation(act) = event {
            counted.first(act);
        }
    }

    /// The same for denied and audited acts.
    pub fn acts(&self, acts: &[Act]) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.events.entry("violation").or_default() += u64::try_from(acts.len()).unwrap_or(0);
        acts.iter().for_each(|act| counted.first(act));
    }

    /// Counts what is new in the kernel's totals. What they were at first is of an earlier time.
    pub fn totals(&self, repeats: &[Repeat], floods: &[Flood]) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = std::mem::replace(&mut counted.begun, true);
        repeats.iter().for_each(|repeat| counted.repeat(*repeat, begun));
        floods.iter().for_each(|flood| counted.flood(flood, begun));
        // The kernel no longer counts what it does not tell any more.
        if counted.kinds.len() > KINDS_MAX || counted.repeats.len() > KINDS_MAX {
            let now: HashSet<u64> = repeats.iter().map(|repeat| repeat.key).collect();
            counted.kinds.retain(|key, _| now.contains(key));
            counted.repeats.retain(|key, _| now.contains(key));
            counted.earlier.retain(|key| now.contains(key));
        }
    }

    /// How often what was decided.
    pub fn counts(&self) -> BTreeMap<Class, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).totals.iter().copied().collect()
    }

    /// How many events of which kind the kernel told.
    pub fn events(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).events.clone()
    }
}

impl Counted {
    fn first(&mut self, act: &Act) {
        let class = Class { why: why(act.why), access: act.access.name(), verdict: verdict(act.verdict) };
        let place = self.count(class, 1);
        if act.key != 0 {
            self.kinds.insert(act.key, place);
        }
    }

    /// Counts so many more; the place of their class.
    fn count(&mut self, class: Class, more: u64) -> u16 {
        let place = match self.totals.iter().position(|(known, _)| *known == class) {
            Some(place) => place,
            None => {
                self.totals.push((class, 0));
                self.totals.len() - 1
            }
        };
        if let Some((_, total)) = self.totals.get_mut(place) {
            *total += more;
        }
        u16::try_from(place).unwrap_or(u16::MAX)
    }

    fn repeat(&mut self, Repeat { key, count }: Repeat, begun: bool) {
        let place = self.kinds.get(&key).copied();
        let class = match place.and_then(|place| self.totals.get(usize::from(place))) {
            Some((class, _)) => *class,
            None if !begun => {
                self.earlier.insert(key);
                self.repeats.insert(key, count);
                return;
            }
            None if self.earlier.contains(&key) => EARLIER,
            // Its first act is on its way; the kernel tells the total again in a second.
            None => return,
        };
        let before = self.repeats.insert(key, count).unwrap_or(0);
        // A kind that was quiet for long begins anew.
        let new = if count < before { count } else { count - before };
        self.count(class, new);
    }

    fn flood(&mut self, flood: &Flood, begun: bool) {
        let why = match (flood.capability, flood.access) {
            (Some(_), _) => "capability",
            (None, Access::Execute) => "program",
            (None, _) => "outbound",
        };
        let class = Class { why, access: flood.access.name(), verdict: verdict(flood.verdict) };
        let before = self.floods.insert((flood.service.clone(), class, flood.capability), flood.count).unwrap_or(0);
        if begun {
            self.count(class, flood.count.saturating_sub(before));
        }
    }
}

fn why(why: Why) -> &'static str {
    match why {
        Why::Capability => "capability",
        Why::Outbound | Why::Destination => "outbound",
        Why::Escape => "escape",
        Why::Tamper => "tamper",
        Why::Program => "program",
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bpf::event::{Acting, Object};
    use policy::decide::Verdict;

    use super::*;

    fn act(key: u64, verdict: Verdict) -> Event {
        Event::Violation(Act {
            time: SystemTime::now(),
            why: Why::Capability,
            service: "web".into(),
            access: Access::Write,
            verdict,
            capabilities: 1,
            rule: None,
            generation: 1,
            object: Object::Path("/x".into()),
            exe: "/usr/bin/web".into(),
            pid: 1,
            uid: 0,
            inode: None,
            acting: Acting::default(),
            sequence: None,
            at_start: false,
            key,
        })
    }

    fn count(decisions: &Decisions, verdict: &str) -> u64 {
        decisions.counts().iter().filter(|(class, _)| class.verdict == verdict).map(|(_, count)| count).sum()
    }

    #[test]
    fn firsts_and_repeats_add_up() {
        let decisions = Decisions::default();
        decisions.totals(&[], &[]);
        decisions.event(&act(7, Verdict::Deny));
        decisions.event(&act(8, Verdict::Audit));
        let repeats = |seven, eight| [Repeat { key: 7, count: seven }, Repeat { key: 8, count: eight }];
        decisions.totals(&repeats(40, 1), &[]);
        decisions.totals(&repeats(40, 1), &[]);
        assert_eq!((count(&decisions, "deny"), count(&decisions, "audit")), (41, 2));
        decisions.totals(&repeats(3, 1), &[]);
        assert_eq!(count(&decisions, "deny"), 44, "a kind that was counted for the last time begins anew");
        assert_eq!(decisions.events()["violation"], 2);
    }

    #[test]
    fn what_was_before_the_daemon_is_not_counted_and_what_goes_on_is() {
        let decisions = Decisions::default();
        let flood = |count| Flood {
            service: "web".to_owned(),
            access: Access::Read,
            capability: Some(1),
            verdict: Verdict::Deny,
            count,
        };
        decisions.totals(&[Repeat { key: 7, count: 1000 }], &[flood(500)]);
        assert!(decisions.counts().is_empty());
        decisions.totals(&[Repeat { key: 7, count: 1003 }, Repeat { key: 9, count: 5 }], &[flood(502)]);
        assert_eq!((count(&decisions, "earlier"), count(&decisions, "deny")), (3, 2));
        decisions.event(&act(9, Verdict::Deny));
        decisions.totals(&[Repeat { key: 9, count: 6 }], &[flood(502)]);
        assert_eq!(count(&decisions, "deny"), 9, "an act whose repeats came first is counted whole");
    }
}
