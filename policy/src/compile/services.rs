//! Masks of every service, as the table in design section 6 fills them.

use std::collections::BTreeMap;

use super::{Input, ServiceModel};
use crate::access::Access;
use crate::baseline;
use crate::capability::{Capability, Grants};
use crate::compiled::{ANOMALOUS, Compiled, Service};
use crate::decide::Subject;
use crate::model::State;
use crate::rule::{Effect, Policy, Reach, Rule, Violations};

/// Fills `services` and `unlisted`.
pub(super) fn fill(compiled: &mut Compiled, input: &Input<'_>) {
    let mut models: BTreeMap<&str, ServiceModel> =
        input.services.iter().map(|model| (model.name.as_str(), model.clone())).collect();
    for name in input.policy.rules.iter().flat_map(|rule| &rule.services).filter(|name| !name.contains('*')) {
        models.entry(name).or_insert_with(|| unseen(name));
    }
    for name in baseline::always_listed() {
        models.entry(name).or_insert_with(|| ServiceModel { granted: baseline::grants(name), ..unseen(name) });
    }
    compiled.services = models.values().map(|model| (model.name.clone(), service(input.policy, model))).collect();
    // Its name fits `*` only.
    compiled.unlisted = service(input.policy, &unseen(""));
}

fn unseen(name: &str) -> ServiceModel {
    ServiceModel { name: name.to_owned(), state: State::Learning, granted: Grants::new() }
}

/// What the kernel is to hold about one service.
pub fn service(policy: &Policy, model: &ServiceModel) -> Service {
    let Policy { catalogue, rules } = policy;
    let learning = matches!(model.state, State::Learning | State::Manual);
    let mut service = Service {
        subject: Subject { granted: catalogue.masks(&model.granted), learning, ..Subject::default() },
        exempt: baseline::is_exempt(&model.name),
        own: baseline::is_bartizan(&model.name),
        login: baseline::opens_sessions(&model.name),
        operator: false,
        anomalous: false,
        rules: BTreeMap::new(),
    };
    let violations = if learning { None } else { Some(violations(rules, &model.name)) };
    for capability in catalogue.iter() {
        for access in Access::ALL {
            one(&mut service, rules, &model.name, capability, access, violations);
        }
    }
    if !learning && !service.exempt {
        let (recorded, rule) = anomalous(rules, &model.name);
        service.anomalous = recorded;
        if let Some(rule) = rule.and_then(|rule| u16::try_from(rule + 1).ok()) {
            service.rules.insert(ANOMALOUS, rule);
        }
    }
    service
}

/// Whether what a service never did before is recorded, and the rule that says so: the narrower match, and among equals
/// alert over disable. Without a rule it is.
pub fn anomalous(rules: &[Rule], name: &str) -> (bool, Option<usize>) {
    let said = rules.iter().enumerate().filter_map(|(index, rule)| Some(((rule.reach(name)?, rule.anomalous?), index)));
    let best = said.max_by_key(|(strength, index)| (*strength, std::cmp::Reverse(*index)));
    best.map_or((true, None), |((_, effect), index)| (effect != Effect::Disable, Some(index)))
}

/// One capability and access of one service.
fn one(
    service: &mut Service,
    rules: &[Rule],
    name: &str,
    capability: &Capability,
    access: Access,
    violations: Option<(Violations, Option<usize>)>,
) {
    let bit = capability.bit;
    let mask = 1u64 << bit;
    let subject = &mut service.subject;
    let mut decided_by = None;
    match effect(rules, name, bit, access) {
        Some((Effect::Allow | Effect::Disable, _)) => subject.granted.insert(access, mask),
        Some((Effect::Prevent, rule)) => {
            subject.granted.remove(access, mask);
            subject.prevent.insert(access, mask);
            decided_by = Some(rule);
        }
        Some((Effect::Alert, rule)) => {
            subject.granted.remove(access, mask);
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
fn effect(rules: &[Rule], name: &str, bit: u8, access: Access) -> Option<(Effect, usize)> {
    let mut best: Option<((Reach, Effect), usize)> = None;
    for (index, rule) in rules.iter().enumerate() {
        if let (Some(reach), Some(effect)) = (rule.reach(name), rule.effect(bit, access))
            && best.is_none_or(|(found, _)| (reach, effect) > found)
        {
            best = Some(((reach, effect), index));
        }
    }
    best.map(|((_, effect), index)| (effect, index))
}

/// What happens to violations of a service, and the rule that says so.
fn violations(rules: &[Rule], name: &str) -> (Violations, Option<usize>) {
    let mut best: Option<((Reach, Violations), usize)> = None;
    for (index, rule) in rules.iter().enumerate() {
        if let (Some(reach), Some(violations)) = (rule.reach(name), rule.violations)
            && best.is_none_or(|(found, _)| (reach, violations) > found)
        {
            best = Some(((reach, violations), index));
        }
    }
    best.map_or((Violations::Alert, None), |((_, violations), index)| (violations, Some(index)))
}

#[cfg(test)]
#[path = "services_tests.rs"]
mod tests;
