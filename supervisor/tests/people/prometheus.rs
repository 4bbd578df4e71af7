//! Reads the text format of Prometheus (version 0.0.4) and takes nothing that it does not allow, as `promtool check metrics` would.

use std::collections::{BTreeMap, BTreeSet};

use crate::asking::get;
use crate::served::Served;

/// One metric: its type, and its values by labels.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    values: BTreeMap<BTreeMap<String, String>, f64>,
}

/// Every metric of a page, or what is wrong with a line.
fn parse(page: &str) -> Result<BTreeMap<String, Family>, String> {
    let mut found = BTreeMap::<String, Family>::new();
    let mut current = None;
    if !page.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    for line in page.lines() {
        let wrong = |what: &str| format!("{what}: {line}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or_else(|| wrong("no help"))?;
            if !is_name(name, true) || help.is_empty() || found.contains_key(name) {
                return Err(wrong("a bad or second HELP"));
            }
            found.insert(name.to_owned(), Family::default());
            current = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong("no type"))?;
            let family = found.get_mut(name).filter(|family| family.kind.is_empty() && family.values.is_empty());
            let family = family.ok_or_else(|| wrong("TYPE without HELP, twice, or behind values"))?;
            if current.as_deref() != Some(name)
                || !["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind)
            {
                return Err(wrong("a bad TYPE"));
            }
            family.kind = kind.to_owned();
        } else {
            let (name, labels, value) = sample(line).ok_or_else(|| wrong("no sample"))?;
            if current.as_deref() != Some(name) {
                return Err(wrong("values of a metric are not together"));
            }
            let family =
                found.get_mut(name).filter(|family| !family.kind.is_empty()).ok_or_else(|| wrong("no TYPE"))?;
            if family.values.insert(labels, value).is_some() {
                return Err(wrong("the same labels twice"));
            }
        }
    }
    match found.iter().find(|(_, family)| family.values.is_empty()) {
        Some((name, _)) => Err(format!("{name} has no value")),
        None => Ok(found),
    }
}

fn is_name(text: &str, colon: bool) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || colon && byte == b':';
    text.bytes().next().is_some_and(letter) && text.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> Option<(&str, BTreeMap<String, String>, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, behind) = rest.split_once("=\"")?;
            let (value, behind) = quoted(behind)?;
            if !is_name(label, false) || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = behind;
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = rest.strip_prefix(' ')?.parse().ok()?;
    is_name(name, true).then_some((name, labels, value))
}

/// A value up to its quotation mark, and what is behind.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                other @ ('\\' | '"') => other,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

#[test]
fn what_prometheus_does_not_take_is_not_taken() {
    let head = "# HELP a_b What.\n# TYPE a_b gauge\n";
    let good = parse(&format!("{head}a_b{{x=\"1\\\"\\\\\\n\",y=\"\"}} 0.5\na_b{{x=\"2\",y=\"\"}} 7\n")).unwrap();
    assert_eq!((good["a_b"].kind.as_str(), good["a_b"].values.len()), ("gauge", 2));
    for wrong in [
        "a_b 1\n",
        "# HELP a_b What.\na_b 1\n",
        "# TYPE a_b gauge\na_b 1\n",
        &format!("{head}a_b 1"),
        &format!("{head}a_b one\n"),
        &format!("{head}a_b{{x=\"1\"}}1\n"),
        &format!("{head}a_b{{x=\"1\",x=\"2\"}} 1\n"),
        &format!("{head}a_b{{x=\"\\q\"}} 1\n"),
        &format!("{head}a_b{{x-y=\"1\"}} 1\n"),
        &format!("{head}a_b{{x=\"1}} 1\n"),
        &format!("{head}a_b 1\na_b 2\n"),
        &format!("{head}a_b 1\n{head}a_b 2\n"),
        &format!("{head}# HELP c What.\n# TYPE c counter\nc 1\na_b 1\n"),
        &format!("{head}# TYPE a_b gauge\na_b 1\n"),
        "# HELP a What.\n# TYPE a number\na 1\n",
        head,
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_page_parses_and_its_labels_are_few() {
    let served = Served::start();
    served.decided();
    let found = parse(&get(&served.socket(), "/metrics").body).unwrap();
    for (name, family) in &found {
        assert_eq!(name.ends_with("_total"), family.kind == "counter", "{name}");
        assert!(family.values.values().all(|value| value.is_finite() && *value >= 0.0), "{name}: {family:?}");
        // Nobody outside can make series without end: no label has the name of a service, a path or a rule.
        let labels: BTreeSet<&str> =
            family.values.keys().flat_map(|labels| labels.keys().map(String::as_str)).collect();
        let bounded =
            ["access", "actor", "event", "hook", "kind", "map", "ring", "sink", "state", "verdict", "version", "why"];
        assert!(labels.iter().all(|label| bounded.contains(label)), "{name}: {labels:?}");
        assert!(family.values.len() <= 48, "{name}: {}", family.values.len());
    }
    let value = |name: &str, label: &str, value: &str| {
        let labels = BTreeMap::from([(label.to_owned(), value.to_owned())]);
        found[name].values[&labels]
    };
    assert_eq!(
        (value("bartizan_sink_up", "sink", "journal"), value("bartizan_ring_size_bytes", "ring", "violations")),
        (1.0, 2_097_152.0)
    );
    for actor in ["audit log", "kernel link", "policy keeper", "learner"] {
        assert!(value("bartizan_actor_answer_seconds", "actor", actor) < 60.0);
    }
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let served = Served::start();
    served.decided();
    let page = parse(&get(&served.socket(), "/metrics").body).unwrap();
    let there: BTreeSet<&str> = page.keys().map(String::as_str).collect();
    let board = include_str!("../../dist/grafana-dashboard.json");
    let word = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '_');
    let shown: BTreeSet<&str> = board.split(word).filter(|name| name.starts_with("bartizan_")).collect();
    assert_eq!(shown, there);
}
