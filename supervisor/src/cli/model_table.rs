//! A model as a person reads it.

use std::collections::BTreeSet;

use actors::clock::rfc3339;
use policy::access::Access;
use policy::capability::Grants;
use policy::evidence::Evidence;
use policy::maturity::in_words;

use super::services::waits_for;
use crate::api::ModelStatus;

pub(super) fn lines(model: &ModelStatus) -> Vec<String> {
    let maturity = &model.maturity;
    let seen: Vec<&str> = maturity.seen.iter().map(|phase| phase.name()).collect();
    let seen = if seen.is_empty() { "no phase yet".to_owned() } else { seen.join(", ") };
    let mut lines = vec![
        format!("service   {}", model.service),
        format!("state     {} since {}", model.state, model.since),
        format!("maturity  {} %, seen: {seen}", maturity.percent),
        format!("learned   for {}, nothing new for {}", in_words(maturity.learned), in_words(maturity.quiet)),
        format!("waits for {}", waits_for(maturity)),
    ];
    if let Some(from) = &model.baseline_from {
        let words = |grants: &Grants| -> String {
            let each = |(name, accesses): (&String, &BTreeSet<Access>)| {
                accesses.iter().map(|access| format!(" {name}.{}", access.name())).collect::<String>()
            };
            grants.iter().map(each).collect()
        };
        lines.push(format!("baseline {} (known from: {from})", words(&model.baseline)));
        if !model.baseline_at_start.is_empty() {
            lines.push(format!("         {} only while it starts", words(&model.baseline_at_start)));
        }
    }
    lines.push("grants".to_owned());
    for (name, accesses) in &model.granted {
        for (access, evidence) in accesses {
            let only = model.at_start.get(name).is_some_and(|accesses| accesses.contains(access));
            let when = if only { ", only while it starts" } else { "" };
            lines.extend(grant(&format!("{name}.{}{when}", access.name()), evidence));
        }
    }
    lines.push("programs".to_owned());
    for (path, evidence) in &model.programs {
        let exe = evidence.earliest().map_or("", |(_, seen)| seen.exe.as_str());
        lines.push(format!("  {path} by {exe}; {}", when(evidence)));
    }
    lines
}

fn grant(name: &str, evidence: &Evidence) -> Vec<String> {
    let Some((_, seen)) = evidence.earliest() else { return Vec::new() };
    vec![format!("  {name}: {} by {}", seen.object, seen.exe), format!("      {}", when(evidence))]
}

/// `first …, last …, 3 times, on web-1, web-2`.
fn when(evidence: &Evidence) -> String {
    let hosts: Vec<&str> = evidence.hosts.keys().map(String::as_str).collect();
    let first = evidence.earliest().map_or(0, |(_, seen)| seen.first);
    format!(
        "first {}, last {}, {} times, on {}",
        rfc3339(first),
        rfc3339(evidence.last()),
        evidence.count(),
        hosts.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::maturity::{Maturity, Phase};
    use policy::model::Model;
    use policy::model::Seen;

    #[test]
    fn a_model_is_told_with_evidence_and_what_is_missing() {
        let mut known = Model::new("web", 0);
        known.observe("web-1", ("SHELL", Access::Execute), ("/usr/bin/\u{1b}[2J", "/usr/bin/dash"), 1_000, Seen::Later);
        known.observe("web-2", ("SHELL", Access::Execute), ("/usr/bin/other", "/usr/bin/bash"), 2_000, Seen::Later);
        known.observe("web-1", ("NET", Access::Execute), ("/usr/bin/web", "/usr/sbin/ip"), 1_500, Seen::InStart(50));
        known.observe("web-1", ("NET", Access::Execute), ("/usr/bin/web", "/usr/sbin/ip"), 1_600, Seen::InStart(50));
        known.observe_program("web-1", "/usr/bin/dash", "/usr/bin/web", 1_000);
        let maturity = Maturity {
            percent: 62,
            learned: 7200,
            quiet: 5,
            seen: vec![Phase::Start],
            waits_for: vec!["a reload".to_owned(), "9 h more of learning".to_owned()],
        };
        let (service, state, since) = ("web".to_owned(), "learning".to_owned(), "now".to_owned());
        let (at_start, granted, programs) = (known.at_start(), known.granted, known.programs);
        let (baseline, baseline_at_start) =
            (policy::baseline::grants("apache2"), policy::baseline::at_start("apache2"));
        let baseline_from = Some("pkg".to_owned());
        let model = ModelStatus {
            service,
            state,
            since,
            maturity,
            baseline_from,
            baseline,
            baseline_at_start,
            granted,
            at_start,
            programs,
        };
        let text: Vec<String> = lines(&model).iter().map(|line| super::super::line::legible(line)).collect();
        let has = |expected: &str| assert!(text.iter().any(|line| line.contains(expected)), "{expected}: {text:#?}");
        has("62 %, seen: start");
        has("learned   for 2 h, nothing new for 5 s");
        has("waits for a reload; 9 h more of learning");
        has("baseline  USERS.read (known from: pkg)");
        has("          SHELL.execute only while it starts");
        has("SHELL.execute: /usr/bin/dash by /usr/bin/\\u{1b}[2J");
        has("first 1970-01-01T00:00:01.000Z, last 1970-01-01T00:00:02.000Z, 2 times, on web-1, web-2");
        has("NET.execute, only while it starts: /usr/sbin/ip by /usr/bin/web");
        has("  /usr/bin/dash by /usr/bin/web; first");
    }
}
