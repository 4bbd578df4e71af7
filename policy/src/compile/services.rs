//! Masks of every service, as the table in design section 6 fills them.

use std::collections::BTreeMap;

use super::{Input, ServiceModel};
use crate::access::Access;
use crate::baseline;
use crate::capability::{Capability, Grants};
use crate::compiled::{ANOMALOUS, Compiled, Service};
use crate::decide::Subject;
use crate::matching::Matching;
use crate::model::State;
use crate::rule::{Effect, Policy, Reach, Rule, Violations};
use crate::slice;

/// Fills `services` and `unlisted`.
pub(super) fn fill(compiled: &mut Compiled, input: &Input<'_>) {
    let mut models: BTreeMap<&str, ServiceModel> =
        input.services.iter().map(|model| (model.name.as_str(), model.clone())).collect();
    for name in input
        .policy
        .rules
        .iter()
        .flat_map(|rule| &rule.services)
        .filter(|name| !name.contains('*') && slice::meant(name).is_none())
    {
        models.entry(name).or_insert_with(|| unseen(name));
    }
    for name in baseline::always_listed() {
        models.entry(name).or_insert_with(|| ServiceModel { granted: baseline::grants(name), ..unseen(name) });
    }
    let matching = Matching::new(input.policy);
    let held = |model: &ServiceModel| matched(input.policy, &matching, model);
    compiled.services = models.values().map(|model| (model.name.clone(), held(model))).collect();
    // It fits `*` and the root of all slices only.
    compiled.unlisted = held(&unseen(""));
}

fn unseen(name: &str) -> ServiceModel {
    ServiceModel { name: name.to_owned(), state: State::Learning, granted: Grants::new(), at_start: Grants::new() }
}

/// What the kernel is to hold about one service.
pub fn service(policy: &Policy, model: &ServiceModel) -> Service {
    matched(policy, &Matching::new(policy), model)
}

/// The same, for many services one after the other.
fn matched(policy: &Policy, matching: &Matching<'_>, model: &ServiceModel) -> Service {
    let (catalogue, about) = (&policy.catalogue, about(policy, matching, &model.name));
    let learning = matches!(model.state, State::Learning | State::Manual);
    let mut service = Service {
        subject: Subject {
            granted: catalogue.masks(&model.granted),
            at_start: catalogue.masks(&model.at_start),
            learning,
            ..Subject::default()
        },
        exempt: baseline::is_exempt(&model.name),
        own: baseline::is_bartizan(&model.name),
        login: baseline::opens_sessions(&model.name),
        operator: false,
        anomalous: false,
        rules: BTreeMap::new(),
    };
    let violations = if learning { None } else { Some(violations(&about)) };
    for capability in catalogue.iter() {
        for access in Access::ALL {
            one(&mut service, &about, capability, access, violations);
        }
    }
    if !learning && !service.exempt {
        let (recorded, rule) = recorded(&about);
        service.anomalous = recorded;
        if let Some(rule) = rule.and_then(|rule| u16::try_from(rule + 1).ok()) {
            service.rules.insert(ANOMALOUS, rule);
        }
    }
    service
}

/// Whether what a service never did before is recorded, and the rule that says so: the narrower match, and among equals
/// alert over disable. Without a rule it is.
pub fn anomalous(policy: &Policy, name: &str) -> (bool, Option<usize>) {
    recorded(&about(policy, &Matching::new(policy), name))
}

fn recorded(about: &[About<'_>]) -> (bool, Option<usize>) {
    best(about, |rule| rule.anomalous)
        .map_or((true, None), |(effect, number)| (effect != Effect::Disable, Some(number)))
}

fn about<'a>(policy: &'a Policy, matching: &Matching<'_>, service: &str) -> Vec<About<'a>> {
    let numbers = matching.of(service).into_iter();
    numbers.filter_map(|(number, reach)| Some(About { number, reach, rule: policy.rules.get(number)? })).collect()
}

/// A rule that is about the service in question.
struct About<'a> {
    number: usize,
    reach: Reach,
    rule: &'a Rule,
}

/// One capability and access of one service.
fn one(
    service: &mut Service,
    about: &[About<'_>],
    capability: &Capability,
    access: Access,
    violations: Option<(Violations, Option<usize>)>,
) {
    let bit = capability.bit;
    let mask = 1u64 << bit;
    let subject = &mut service.subject;
    let mut decided_by = None;
    match effect(about, bit, access) {
        Some((Effect::Allow | Effect::Disable, _)) => subject.granted.insert(access, mask),
        Some((Effect::Prevent, rule)) => {
            subject.granted.remove(access, mask);
            subject.at_start.remove(access, mask);
            subject.prevent.insert(access, mask);
            decided_by = Some(rule);
        }
        Some((Effect::Alert, rule)) => {
            subject.granted.remove(access, mask);
            subject.at_start.remove(access, mask);
            subject.alert.insert(access, mask);
            decided_by = Some(rule);
        }
        None if capability.programs.is_some() => subject.granted.insert(access, mask),
        None => match violations {
            Some((Violations::Prevent, rule)) => {
                subject.prevent.insert(access, mask);
                decided_by = rule;
            }
            Some((Violations::Alert, _)) => subject.alert.insert(access, mask),
            None => {}
        },
    }
    if let Some(rule) = decided_by.and_then(|rule| u16::try_from(rule + 1).ok()) {
        service.rules.insert((bit, access as u8), rule);
    }
}

/// The rule that counts: the narrower match over the wider, among equals prevent over alert over allow over disable.
fn effect(about: &[About<'_>], bit: u8, access: Access) -> Option<(Effect, usize)> {
    best(about, |rule| rule.effect(bit, access))
}

/// What happens to violations of a service, and the rule that says so.
fn violations(about: &[About<'_>]) -> (Violations, Option<usize>) {
    best(about, |rule| rule.violations)
        .map_or((Violations::Alert, None), |(violations, number)| (violations, Some(number)))
}

/// The word that counts, and the first rule that says it.
fn best<T: Ord + Copy>(about: &[About<'_>], word: impl Fn(&Rule) -> Option<T>) -> Option<(T, usize)> {
    let said = about.iter().filter_map(|one| Some(((one.reach, word(one.rule)?), one.number)));
    let better = |best: ((Reach, T), usize), one: ((Reach, T), usize)| if one.0 > best.0 { one } else { best };
    said.reduce(better).map(|((_, word), number)| (word, number))
}

#[cfg(test)]
#[path = "services_tests.rs"]
mod tests;
