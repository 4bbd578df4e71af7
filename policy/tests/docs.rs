//! `docs/policy.md` says what the code does: its examples are read, and its refusals are the real ones.
#![allow(clippy::unwrap_used)]

use policy::access::Access;
use policy::capability::Catalogue;
use policy::check::check;
use policy::compile::{Input, compile};
use policy::compiled::{DEPTH_MAX, NAME_MAX, OUTBOUND_MAX, PORT_RANGES_MAX, SERVICES_MAX, STARTS_MAX};
use policy::host::BareHost;
use policy::syntax::parse;

const TEXT: &str = include_str!("../../docs/policy.md");

/// The fenced blocks: what stands behind the fence, and the lines.
fn blocks() -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in TEXT.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(kind), None) => open = Some((kind.to_owned(), String::new())),
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some((kind, text))) => open = Some((kind, format!("{text}{line}\n"))),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is left open");
    blocks
}

#[test]
fn every_example_is_read_and_compiles() {
    let examples: Vec<String> = blocks().into_iter().filter(|(kind, _)| kind == "toml").map(|(_, text)| text).collect();
    assert!(examples.len() >= 5, "{}", examples.len());
    for text in examples {
        let policy = parse("example", &text).unwrap_or_else(|problems| panic!("{text}\n{problems:?}"));
        assert_eq!(check(&policy), [], "{text}");
        compile(&Input { policy: &policy, services: &[], own: &[] }, &BareHost).unwrap();
    }
}

#[test]
fn every_refusal_is_the_real_one() {
    let blocks = blocks();
    let refused: Vec<_> = blocks.windows(2).filter(|pair| pair[0].0 == "toml refused").collect();
    assert_eq!(refused.len(), 2);
    for pair in refused {
        let problems = match parse("10-shells.toml", &pair[0].1) {
            Ok(policy) => check(&policy),
            Err(problems) => problems,
        };
        let told: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
        assert_eq!((pair[1].0.as_str(), pair[1].1.as_str()), ("text", told.as_str()));
    }
}

#[test]
fn the_tables_are_complete() {
    for one in Catalogue::builtin().iter() {
        let row = format!("| `{}` | {} | {} |", one.name, one.severity, one.description);
        assert!(TEXT.contains(&row), "{row}");
    }
    for access in Access::ALL {
        assert!(TEXT.replace('\n', " ").contains(&format!("`{}` (", access.name())), "{}", access.name());
    }
    let number = |number: usize| {
        let digits = number.to_string();
        let (front, back) = digits.split_at(digits.len() - 3);
        format!("| {front},{back}")
    };
    for limit in [
        number(SERVICES_MAX - 1),
        number(OUTBOUND_MAX),
        number(STARTS_MAX - 1),
        format!("| {PORT_RANGES_MAX} |"),
        format!("| {NAME_MAX} bytes"),
        format!("| {DEPTH_MAX} components"),
    ] {
        assert!(TEXT.contains(&limit), "{limit}");
    }
}
