//! How far patterns have been matched. What is left of a pattern is interned from its end, so that equal remainders are
//! one state whatever precedes them: the homes of a thousand users lead to the same few states.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::labels::Patterns;
use crate::access::Access;
use crate::compiled::{DEPTH_MAX, Label, NAME_MAX};
use crate::pattern::Component;

/// One thing that may still come of the path so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum State {
    /// A tail is left to be matched.
    At(u32),
    /// A pattern with this label ends here.
    Done(u16),
    /// A pattern with this label ends in `**`: here and everything below.
    Below(u16),
}

/// Everything that may still come of it.
pub(super) type Set = BTreeSet<State>;

/// What leads out of a set: names with the states that they lead to, and the text of globs.
#[derive(Debug, Default)]
pub(super) struct Exits {
    pub(super) literals: BTreeMap<Vec<u8>, Set>,
    pub(super) prefixes: BTreeSet<Vec<u8>>,
    pub(super) suffixes: BTreeSet<Vec<u8>>,
}

/// What is left of one or more patterns.
#[derive(Debug)]
struct Tail {
    component: Component,
    next: Set,
    /// Components that are left at most.
    height: usize,
    /// What writing everything that the tail can lead to needs.
    below: Label,
}

/// Patterns as a prefix tree.
#[derive(Debug, Default)]
struct Branch {
    done: Option<Label>,
    below: Option<Label>,
    next: BTreeMap<Component, Branch>,
}

/// All tails and labels.
#[derive(Debug, Default)]
pub(super) struct States {
    tails: Vec<Tail>,
    tail_ids: HashMap<(Component, Set), u32>,
    labels: Vec<Label>,
    label_ids: HashMap<Label, u16>,
}

impl States {
    /// No tails yet; label 0 is the empty one.
    pub(super) fn new() -> States {
        let mut states = States::default();
        states.label(Label::default());
        states
    }

    /// The labels by id.
    pub(super) fn into_labels(self) -> Vec<Label> {
        self.labels
    }

    /// The id of a label.
    pub(super) fn label(&mut self, label: Label) -> u16 {
        // More than 65,535 labels fail in `fits`: ids that wrapped are never used.
        let next = u16::try_from(self.labels.len()).unwrap_or(u16::MAX);
        *self.label_ids.entry(label).or_insert_with(|| {
            self.labels.push(label);
            next
        })
    }

    /// The states of `/` in the host's namespace.
    pub(super) fn root(&mut self, patterns: &Patterns) -> Set {
        let mut root = Branch::default();
        for (pattern, label) in patterns {
            let (components, sticky) = match pattern.0.split_last() {
                Some((Component::AnyDepth, before)) => (before, true),
                _ => (pattern.0.as_slice(), false),
            };
            let branch = components
                .iter()
                .fold(&mut root, |branch, component| branch.next.entry(bounded(component)).or_default());
            let place = if sticky { &mut branch.below } else { &mut branch.done };
            *place = Some(union(place.unwrap_or_default(), *label));
        }
        self.enter(&root)
    }

    fn enter(&mut self, branch: &Branch) -> Set {
        let mut set = Set::new();
        set.extend(branch.done.map(|label| State::Done(self.label(label))));
        set.extend(branch.below.map(|label| State::Below(self.label(label))));
        for (component, below) in &branch.next {
            let next = self.enter(below);
            set.insert(self.tail(component.clone(), next));
        }
        set
    }

    fn tail(&mut self, component: Component, next: Set) -> State {
        let key = (component, next);
        if let Some(known) = self.tail_ids.get(&key) {
            return State::At(*known);
        }
        let id = u32::try_from(self.tails.len()).unwrap_or(u32::MAX);
        let (height, below) = (1 + self.height(&key.1), self.below(&key.1));
        self.tails.push(Tail { component: key.0.clone(), next: key.1.clone(), height, below });
        self.tail_ids.insert(key, id);
        State::At(id)
    }

    /// The states at the root of a file system of which the directory `way` is mounted where the states are `there`.
    pub(super) fn behind(&mut self, way: &[Vec<u8>], there: Set) -> Set {
        if there.is_empty() {
            return there;
        }
        // The kernel reads the first DEPTH_MAX names only: what lies deeper gets all that could apply to it.
        let mut set = there;
        if way.len() + self.height(&set) > DEPTH_MAX {
            let all = self.all(&set);
            set = Set::from([State::Below(self.label(Label { spared: 0, ..all }))]);
        }
        for name in way.iter().take(DEPTH_MAX).rev() {
            set = Set::from([self.tail(bounded(&Component::Literal(name.clone())), set)]);
        }
        set
    }

    /// The states after a name.
    pub(super) fn step(&self, set: &Set, name: &[u8]) -> Set {
        self.step_where(set, |component| component.fits(name))
    }

    /// The states after a name of which it is known which components it fits.
    pub(super) fn step_where(&self, set: &Set, fits: impl Fn(&Component) -> bool) -> Set {
        let mut next = Set::new();
        for state in set {
            match state {
                State::Below(_) => drop(next.insert(*state)),
                State::At(_) => next.extend(
                    self.at(state)
                        .filter(|tail| fits(&tail.component))
                        .into_iter()
                        .flat_map(|tail| tail.next.iter().copied()),
                ),
                State::Done(_) => {}
            }
        }
        next
    }

    /// What leads out of a set.
    pub(super) fn exits(&self, set: &Set) -> Exits {
        let mut exits = Exits::default();
        // Apart, so that a directory with thousands of names is gone through once and not once per name.
        let mut nameless = Set::new();
        for state in set {
            match self.at(state).map(|tail| (&tail.component, &tail.next)) {
                Some((Component::Literal(text), next)) => exits.literals.entry(text.clone()).or_default().extend(next),
                Some((Component::Prefix(text), _)) => drop(exits.prefixes.insert(text.clone())),
                Some((Component::Suffix(text), _)) => drop(exits.suffixes.insert(text.clone())),
                _ => {}
            }
            if !self.at(state).is_some_and(|tail| matches!(tail.component, Component::Literal(_))) {
                nameless.insert(*state);
            }
        }
        for (name, next) in &mut exits.literals {
            next.extend(self.step(&nameless, name));
        }
        exits
    }

    /// What an object with these states means.
    pub(super) fn meaning(&self, set: &Set) -> Label {
        set.iter().filter_map(|state| self.ended(state)).fold(Label::default(), union)
    }

    /// What writing an object with these states, and everything that may be below it, needs.
    pub(super) fn below(&self, set: &Set) -> Label {
        let ends = writing(self.meaning(set));
        set.iter().filter_map(|state| self.at(state)).fold(ends, |label, tail| union(label, tail.below))
    }

    /// All labels that these states may lead to, together.
    fn all(&self, set: &Set) -> Label {
        let tails = set.iter().filter_map(|state| self.at(state));
        tails.fold(self.meaning(set), |label, tail| union(label, self.all(&tail.next)))
    }

    fn height(&self, set: &Set) -> usize {
        set.iter().filter_map(|state| self.at(state)).map(|tail| tail.height).max().unwrap_or(0)
    }

    fn at(&self, state: &State) -> Option<&Tail> {
        let State::At(id) = state else { return None };
        self.tails.get(usize::try_from(*id).ok()?)
    }

    fn ended(&self, state: &State) -> Option<Label> {
        let (State::Done(id) | State::Below(id)) = state else { return None };
        self.labels.get(usize::from(*id)).copied()
    }
}

/// A name longer than an edge can hold is known by its beginning: it may then stand for others too, but never for less.
fn bounded(component: &Component) -> Component {
    match component {
        Component::Literal(name) if name.len() > NAME_MAX => {
            Component::Prefix(name.iter().take(NAME_MAX).copied().collect())
        }
        other => other.clone(),
    }
}

fn union(mut one: Label, other: Label) -> Label {
    one.need = one.need.union(other.need);
    one.own |= other.own;
    one.executor |= other.executor;
    one.spared |= other.spared;
    one
}

fn writing(label: Label) -> Label {
    let mut kept = Label { own: label.own, ..Label::default() };
    kept.need.insert(Access::Write, label.need.get(Access::Write));
    kept
}
