#![allow(clippy::unwrap_used)]

use super::*;
use crate::access::Access;
use crate::evidence::{Evidence, HOSTS_MAX, Sighting};
use crate::knowledge::PROGRAMS_MAX;
use proptest::prelude::*;

fn sighting() -> impl Strategy<Value = Sighting> {
    (0i64..9, 0i64..9, 1u64..5, "[ab]|\\PC{0,3}|[\\x00-\\x1f\\x7f-\\x9f]", "[xy]", 0u32..4).prop_map(
        |(first, more, count, exe, object, starts)| Sighting { first, last: first + more, count, exe, object, starts },
    )
}

fn evidence() -> impl Strategy<Value = Evidence> {
    prop::collection::btree_map("web-[1-3]", sighting(), 1..3).prop_map(|hosts| Evidence { hosts })
}

pub(crate) fn knowledge() -> impl Strategy<Value = Knowledge> {
    let access = prop_oneof![Just(Access::Read), Just(Access::Write), Just(Access::Execute)];
    let accesses = prop::collection::btree_map(access, evidence(), 1..3);
    let granted = prop::collection::btree_map("[A-C]", accesses, 0..3);
    let programs = prop::collection::btree_map("/[a-c\u{7}\u{85}\u{202e}\n\"\\\\]", evidence(), 0..3);
    (granted, programs).prop_map(|(granted, programs)| Knowledge { granted, programs })
}

fn export() -> impl Strategy<Value = Export> {
    prop::collection::btree_map("[n-p]", knowledge(), 0..3)
        .prop_map(|models| Export { bartizan_models: FORMAT, models })
}

fn joined(a: &Export, b: &Export) -> Export {
    let mut joined = a.clone();
    joined.join(b).unwrap();
    joined
}

proptest! {
    #[test]
    fn merge_is_a_join(a in export(), b in export(), c in export()) {
        prop_assert_eq!(joined(&a, &b), joined(&b, &a));
        prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
        prop_assert_eq!(joined(&a, &a), a.clone());
        prop_assert_eq!(joined(&joined(&a, &b), &b), joined(&a, &b));
        prop_assert!(joined(&a, &b).differences(&a).iter().all(|one| !one.gained), "a join takes nothing away");
    }

    #[test]
    fn a_text_gives_its_export_back_and_is_plain(a in export()) {
        let text = a.text().unwrap();
        prop_assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{}", text);
        prop_assert_eq!(Export::parse(&text), Ok(a));
    }

    #[test]
    fn no_text_that_is_cut_off_is_read(a in export(), at in any::<prop::sample::Index>()) {
        let text = a.text().unwrap();
        let whole = text.trim_end().len();
        prop_assert!(Export::parse(&text[..at.index(whole)]).is_err());
    }
}

const ONE: &str = r#"{
  "bartizan_models": 2,
  "models": { "web": { "granted": { "SHELL": { "execute": {
    "web-1": { "first": "2026-11-25T18:22:02.120Z", "last": "2026-11-26T00:00:00Z", "count": 3, "exe": "/usr/bin/x", "object": "/bin/sh" }
  } } } } }
}"#;

#[test]
fn an_export_is_read_as_it_is_documented() {
    let one = Export::parse(ONE).unwrap();
    let seen = &one.models["web"].granted["SHELL"][&Access::Execute].hosts["web-1"];
    assert_eq!((seen.first, seen.last, seen.count), (1_795_630_922_120, 1_795_651_200_000, 3));
}

#[test]
fn what_is_no_export_is_refused_by_name() {
    let changed = |from: &str, to: &str| Export::parse(&ONE.replace(from, to)).unwrap_err();
    for (from, to, expected) in [
        (
            "\"bartizan_models\": 2",
            "\"bartizan_models\": 4, \"more\": 1",
            "format 4, and this Bartizan reads up to format 3",
        ),
        ("\"bartizan_models\": 2", "\"bartizan_models\": 1", "exports begin with format 2"),
        ("\"count\": 3", "\"count\": 0", "0 times"),
        ("2026-11-26T", "2025-11-26T", "the last time before the first"),
        ("2026-11-26T00:00:00Z", "yesterday", "expected a time such as"),
        ("\"execute\"", "\"eat\"", "line 3"),
        ("\"object\"", "\"more\": 1, \"object\"", "unknown field `more`"),
        ("\"web\"", "\"../web\"", "the name of a service"),
        ("\"web-1\"", "\"\\u001b[2J\"", "the name of a host"),
        ("\"SHELL\"", "\"\"", "the name of a capability"),
        ("\"/bin/sh\"", &format!("\"{}\"", "x".repeat(5000)), "has 5000 bytes"),
    ] {
        let told = changed(from, to);
        assert!(told.contains(expected), "{to}: {told}");
        assert!(!told.contains('\u{1b}'), "nothing in it acts on a terminal: {told:?}");
    }
    assert!(Export::parse("{}").unwrap_err().contains("bartizan_models"));
}

#[test]
fn more_than_a_model_holds_is_refused_and_not_cut() {
    let seen = Sighting { first: 1, last: 1, count: 1, ..Sighting::default() };
    let evidence = |host: String| Evidence { hosts: [(host, seen.clone())].into() };
    let programs = |from: usize| {
        let programs = (from..from + PROGRAMS_MAX / 2 + 1)
            .map(|number| (format!("/{number}"), evidence("h".to_owned())))
            .collect();
        let known = Knowledge { programs, ..Knowledge::default() };
        Export { bartizan_models: FORMAT, models: [("web".to_owned(), known)].into() }
    };
    let mut one = programs(0);
    assert!(one.join(&programs(PROGRAMS_MAX)).unwrap_err().contains("1026 programs"));
    let hosts = |from: usize| {
        let hosts = (from..from + HOSTS_MAX).map(|number| (format!("h{number}"), seen.clone())).collect();
        let known = Knowledge { programs: [("/x".to_owned(), Evidence { hosts })].into(), ..Knowledge::default() };
        Export { bartizan_models: FORMAT, models: [("web".to_owned(), known)].into() }
    };
    let mut one = hosts(0);
    assert!(one.join(&hosts(0)).is_ok());
    assert!(one.join(&hosts(1)).unwrap_err().contains("65 hosts"));
    let web = &hosts(0).models["web"];
    assert_eq!(web.problem_on("h0"), None);
    assert!(web.problem_on("here").unwrap().contains("64 other hosts"));
}

#[test]
fn a_model_that_has_grown_since_an_import_was_checked_stays_within_its_bounds() {
    let mut model = Model::new("web", 0);
    for number in 1..PROGRAMS_MAX {
        model.observe_program("here", &format!("/{number}"), "/x", 1);
    }
    let mut elsewhere = Model::new("web", 0);
    for path in ["/a", "/b", "/1"] {
        elsewhere.observe_program("there", path, "/x", 1);
    }
    model.join(&elsewhere.knowledge());
    assert_eq!(model.programs.len(), PROGRAMS_MAX);
    assert!(model.programs.contains_key("/a") && !model.programs.contains_key("/b"));
    assert_eq!(model.programs["/1"].hosts.len(), 2);
}

#[test]
fn differences_are_told_in_words() {
    let one = Export::parse(ONE).unwrap();
    let other = Export::parse(&ONE.replace("web-1", "web-2")).unwrap();
    let none = Export::parse(r#"{ "bartizan_models": 2, "models": {} }"#).unwrap();
    let words = |a: &Export, b: &Export| {
        let lines = a.differences(b).into_iter();
        lines.map(|one| format!("{} {} {}", one.service, one.gained, one.what)).collect::<Vec<_>>()
    };
    assert_eq!(words(&none, &one), ["web true SHELL.execute (web-1: /bin/sh by /usr/bin/x)"]);
    assert_eq!(words(&one, &none), ["web false SHELL.execute (web-1: /bin/sh by /usr/bin/x)"]);
    let both = ["web false SHELL.execute as web-1 saw it", "web true SHELL.execute as web-2 saw it"];
    assert_eq!(words(&one, &other), both);
    assert!(words(&one, &one).is_empty());
}
