//! When a service has learned enough: evidence, not a clock alone. Durations count by the clock of the boot, so that
//! setting the time of day changes nothing; a time that no boot saw to its end is not counted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::State;

/// Most units of one service (instances of a template) whose last start is kept.
const UNITS_MAX: usize = 64;

/// A stage of a service's life that a model should have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// A start.
    Start,
    /// A run of some length, or one to its end.
    Steady,
    /// A reload; of a unit that cannot reload, a restart.
    Reload,
    /// A start after the one before it.
    Restart,
    /// A run started by its timer, where it has one.
    Timer,
}

impl Phase {
    /// What the configuration may ask for.
    pub const ASKED: [Phase; 4] = [Phase::Start, Phase::Steady, Phase::Reload, Phase::Timer];

    /// The name used in TOML and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Start => "start",
            Phase::Steady => "steady",
            Phase::Reload => "reload",
            Phase::Restart => "restart",
            Phase::Timer => "timer",
        }
    }
}

/// What graduation takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graduation {
    /// Least time in learning.
    pub learning: Duration,
    /// Time without anything new.
    pub quiet: Duration,
    /// Length of a run that counts as steady.
    pub steady: Duration,
    /// How long a unit starts.
    pub start: Duration,
    /// Which of [`Phase::ASKED`] must have been seen.
    pub phases: BTreeSet<Phase>,
}

/// A moment of a boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Identity of the boot.
    pub boot: String,
    /// Milliseconds since it, suspension included.
    pub at: u64,
}

/// What systemd says of one unit of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// Whether systemd knows it; a unit whose file is gone and that does not run is unknown.
    pub loaded: bool,
    /// Identity of its last start.
    pub invocation: Option<String>,
    /// How long it has been active without a break.
    pub up: Option<Duration>,
    /// Whether its last run has come to a good end.
    pub finished: bool,
    /// Whether nothing of it outlives a stop, so that its next start is seen as one.
    pub stops_whole: bool,
    /// Whether it can be reloaded.
    pub reloads: bool,
    /// Identity of its last reload since the last start.
    pub reload: Option<String>,
    /// Whether a timer starts it.
    pub timed: bool,
    /// Whether a timer caused its last start.
    pub by_timer: bool,
}

/// What is remembered of a unit between two looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    boot: String,
    invocation: String,
    reload: Option<String>,
    /// Whether the kernel told of this run from its start.
    witnessed: bool,
}

/// What a service has gone through while learning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Until when the durations are counted.
    until: Option<Moment>,
    /// Milliseconds in learning.
    learned: u64,
    /// Milliseconds since the last novelty.
    quiet: u64,
    /// Milliseconds for which its unit has been gone.
    gone: u64,
    phases: BTreeSet<Phase>,
    /// Whether a unit can be reloaded, and whether a timer starts one; nothing before systemd has answered.
    unit: Option<(bool, bool)>,
    units: BTreeMap<String, Mark>,
    /// Whether the next look only tells what lies before the learning.
    before: bool,
    /// Whether a unit has run for longer than it starts. What only starts of others need, they may need at any time.
    outlived: bool,
}

/// How far a service has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maturity {
    /// Hundredths of what graduation takes.
    pub percent: u8,
    /// Phases that were seen.
    pub seen: Vec<Phase>,
    /// Seconds in learning.
    pub learned: u64,
    /// Seconds since the last novelty.
    pub quiet: u64,
    /// What is missing, in words.
    pub waits_for: Vec<String>,
}

impl Progress {
    /// Of a service that runs already: what it does now may have begun long ago.
    pub fn anew() -> Progress {
        Progress { before: true, ..Progress::default() }
    }

    /// The same once more.
    pub fn again(&self) -> Progress {
        Progress { outlived: self.outlived, ..Progress::anew() }
    }

    /// Whether a unit has run for longer than it starts, so that what was seen in starts only is needed for these only.
    pub fn outlived(&self) -> bool {
        self.outlived
    }

    /// Counts the time until now, which was spent in this state: only in learning as time of learning.
    pub fn advance(&mut self, state: State, now: &Moment) {
        let same = self.until.as_ref().filter(|until| until.boot == now.boot);
        let passed = same.map_or(0, |until| now.at.saturating_sub(until.at));
        self.gone = self.gone.saturating_add(passed);
        if matches!(state, State::Learning | State::Manual) {
            self.learned = self.learned.saturating_add(passed);
            self.quiet = self.quiet.saturating_add(passed);
        }
        self.until = Some(now.clone());
    }

    /// The same for time in which evidence was lost: nothing was learned, and what is quiet is to be seen anew. Whether anything
    /// had been quiet.
    pub fn stand_still(&mut self, now: &Moment) -> bool {
        self.advance(State::Active, now);
        std::mem::take(&mut self.quiet) > 0
    }

    /// The unit is back: what is quiet is to be seen anew, and nothing counts that lies before.
    pub fn back(&mut self) {
        (self.quiet, self.gone, self.until) = (0, 0, None);
    }

    /// Something new was seen.
    pub fn novelty(&mut self) {
        self.quiet = 0;
    }

    /// Time in learning.
    pub fn learned(&self) -> Duration {
        Duration::from_millis(self.learned)
    }

    /// What is left of the times that graduation takes, if nothing new comes.
    pub fn left(&self, graduation: &Graduation) -> Duration {
        let learning = graduation.learning.saturating_sub(self.learned());
        learning.max(graduation.quiet.saturating_sub(Duration::from_millis(self.quiet)))
    }

    /// For how long the unit has been gone; `here`: it is not.
    pub fn gone(&mut self, here: bool) -> Duration {
        if here {
            self.gone = 0;
        }
        Duration::from_millis(self.gone)
    }

    /// Takes in what systemd says. `earlier`: the service ran before the programs were loaded. Whether a phase is new.
    pub fn look(&mut self, units: &[Unit], earlier: bool, terms: &Graduation, now: &Moment) -> bool {
        let known = (self.phases.clone(), self.outlived);
        let loaded = || units.iter().filter(|unit| unit.loaded);
        if loaded().next().is_none() {
            return false;
        }
        self.unit = Some((loaded().any(|unit| unit.reloads), loaded().any(|unit| unit.timed)));
        self.units.retain(|name, _| units.iter().any(|unit| unit.name == *name && unit.loaded));
        for unit in loaded() {
            self.look_at(unit, earlier, terms.steady, now);
            self.outlived |= unit.stops_whole && unit.up.is_some_and(|up| up >= terms.start);
        }
        self.before = false;
        (self.phases.clone(), self.outlived) != known
    }

    /// The same while evidence is lost: where its units stand is noted, and no phase counts as seen.
    pub fn look_away(&mut self, units: &[Unit], earlier: bool, terms: &Graduation, now: &Moment) -> bool {
        let known = (self.phases.clone(), self.outlived);
        self.look(units, earlier, terms, now);
        (self.phases, self.outlived) = known;
        false
    }

    fn look_at(&mut self, unit: &Unit, earlier: bool, steady: Duration, now: &Moment) {
        let Some(invocation) = &unit.invocation else { return };
        if !self.units.contains_key(&unit.name) && self.units.len() >= UNITS_MAX {
            return;
        }
        let before = self.units.get(&unit.name);
        let same = before.filter(|mark| mark.invocation == *invocation);
        let witnessed = match (before, same) {
            (_, Some(same)) => same.witnessed,
            (None, None) => !self.before && !earlier,
            // What is pinned went on while no daemon looked; a new boot may have started it before the programs.
            (Some(before), None) => before.boot == now.boot || !earlier,
        };
        if witnessed && same.is_none() {
            self.phases.insert(Phase::Start);
            if before.is_some() {
                self.phases.insert(Phase::Restart);
            }
        }
        let reload_before = same.map(|mark| mark.reload.clone());
        let reloaded = unit.reload.is_some() && reload_before.as_ref() != Some(&unit.reload);
        if reloaded && (witnessed || reload_before.is_some()) {
            self.phases.insert(Phase::Reload);
        }
        if witnessed && unit.by_timer {
            self.phases.insert(Phase::Timer);
        }
        let long = unit.up.is_some_and(|up| up >= steady) && self.learned() >= steady;
        if long || (witnessed && unit.finished) {
            self.phases.insert(Phase::Steady);
        }
        let (boot, reload) = (now.boot.clone(), unit.reload.clone());
        self.units.insert(unit.name.clone(), Mark { boot, invocation: invocation.clone(), reload, witnessed });
    }

    /// How far it has come, and what is missing.
    pub fn maturity(&self, state: State, graduation: &Graduation) -> Maturity {
        let seconds = |ms: u64| ms / 1000;
        let mut maturity = Maturity {
            percent: 100,
            seen: self.phases.iter().copied().collect(),
            learned: seconds(self.learned),
            quiet: seconds(self.quiet),
            waits_for: Vec::new(),
        };
        if matches!(state, State::Learning | State::Manual) {
            let (percent, waits_for) = self.missing(graduation);
            (maturity.percent, maturity.waits_for) = (percent, waits_for);
        }
        match state {
            State::Manual => maturity.waits_for = vec!["`bartizan activate`, as it learns until then".to_owned()],
            State::Archived => maturity.waits_for = vec!["its unit, which is gone".to_owned()],
            State::Learning | State::Active => {}
        }
        maturity
    }

    fn missing(&self, graduation: &Graduation) -> (u8, Vec<String>) {
        let mut waits_for = Vec::new();
        let mut parts = Vec::new();
        for (have, want, what) in [
            (self.learned, graduation.learning, "more of learning"),
            (self.quiet, graduation.quiet, "more without anything new"),
        ] {
            let want = u64::try_from(want.as_millis()).unwrap_or(u64::MAX);
            if have < want {
                waits_for.push(format!("{} {what}", in_words((want - have).div_ceil(1000))));
            }
            parts.push(have.min(want).saturating_mul(100).checked_div(want).unwrap_or(100));
        }
        for phase in self.asked(graduation) {
            let seen = phase.is_some_and(|phase| self.phases.contains(&phase));
            if !seen {
                waits_for.push(wanted(phase, graduation.steady));
            }
            parts.push(if seen { 100 } else { 0 });
        }
        let share = parts.iter().sum::<u64>() / u64::try_from(parts.len()).unwrap_or(1).max(1);
        (u8::try_from(share).unwrap_or(100), waits_for)
    }

    /// The phases that count for this service; nothing stands for those that only systemd can tell.
    fn asked(&self, graduation: &Graduation) -> Vec<Option<Phase>> {
        let of = |phase: &Phase| match (phase, self.unit) {
            (Phase::Reload, Some((false, _))) => Some(Some(Phase::Restart)),
            (Phase::Timer, Some((_, false))) => None,
            (Phase::Reload | Phase::Timer, None) => Some(None),
            (phase, _) => Some(Some(*phase)),
        };
        let mut asked: Vec<Option<Phase>> = graduation.phases.iter().filter_map(of).collect();
        asked.dedup();
        asked
    }
}

fn wanted(phase: Option<Phase>, steady: Duration) -> String {
    match phase {
        None => "systemd to say whether its unit reloads and has a timer".to_owned(),
        Some(Phase::Start) => "a start".to_owned(),
        Some(Phase::Steady) => format!("a steady run of {}", in_words(steady.as_secs())),
        Some(Phase::Reload) => "a reload".to_owned(),
        Some(Phase::Restart) => "a restart, as its unit cannot reload".to_owned(),
        Some(Phase::Timer) => "a run started by its timer".to_owned(),
    }
}

/// A number of seconds for people: `3 h`, `20 min`, `5 s`; rounded up.
pub fn in_words(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds.div_ceil(60)),
        7200..=172_799 => format!("{} h", seconds.div_ceil(3600)),
        _ => format!("{} d", seconds.div_ceil(86_400)),
    }
}

#[cfg(test)]
#[path = "maturity/tests.rs"]
mod tests;
