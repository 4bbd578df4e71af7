#![allow(clippy::unwrap_used)]

use super::*;
use crate::capability::Catalogue;
use crate::evidence::Sighting;
use proptest::prelude::*;

/// What Bartizan before format 2 wrote: web, active since 4 s, with SHELL.execute seen twice and one program.
const FORMAT_ONE: &str = "425a4d44010000008f559a32ae4ada376e5326f861ad1ed4a4ac9b801490f28090d8142482e82e6385a773657276696365\
    a3776562a57374617465a6616374697665a573696e6365cd0fa0a76772616e74656481a55348454c4c81a76578656375746585a56669727374\
    cd07d0a46c617374cd0bb8a5636f756e7402a3657865b02f7573722f62696e2f707974686f6e33a66f626a656374ad2f7573722f62696e2f64\
    617368a870726f6772616d7381ad2f7573722f62696e2f6461736885a56669727374cd07d0a46c617374cd07d0a5636f756e7401a3657865b0\
    2f7573722f62696e2f707974686f6e33a66f626a656374ad2f7573722f62696e2f64617368";

/// What Bartizan before format 3 wrote: web, active since 4 s, with SHELL.execute and one program, seen by web-1 after 2 s.
const FORMAT_TWO: &str = "425a4d44020000003c0b8830c9a87ce3f97e8be9ef752955ba6f459fc4d4bd9fc7bd8c19f185b61587a773657276696365a3776562a573\
    74617465a6616374697665a573696e6365cd0fa0aa72657475726e735f746fc0a76772616e74656481a55348454c4c81a7657865637574\
    6581a57765622d3185a56669727374cd07d0a46c617374cd07d0a5636f756e7401a3657865b02f7573722f62696e2f707974686f6e33a6\
    6f626a656374ad2f7573722f62696e2f64617368a870726f6772616d7381ad2f7573722f62696e2f6461736881a57765622d3185a56669\
    727374cd07d0a46c617374cd07d0a5636f756e7401a3657865b02f7573722f62696e2f707974686f6e33a66f626a656374ad2f7573722f\
    62696e2f64617368a870726f677265737388a5756e74696cc0a76c6561726e656400a5717569657400a4676f6e6500a670686173657390\
    a4756e6974c0a5756e69747380a66265666f7265c2";

/// What Bartizan before format 4 wrote: the same, without the program.
const FORMAT_THREE: &str = "425a4d4403000000c90fd1d7112a9b74666a5c1392510f453da0bcff546c9b52794f71ba57d7989787a773657276696365a37765\
    62a57374617465a6616374697665a573696e6365cd0fa0aa72657475726e735f746fc0a76772616e74656481a55348454c4c81a7\
    6578656375746581a57765622d3185a56669727374cd07d0a46c617374cd07d0a5636f756e7401a3657865b02f7573722f62696e\
    2f707974686f6e33a66f626a656374ad2f7573722f62696e2f64617368a870726f6772616d7380a870726f677265737389a5756e\
    74696cc0a76c6561726e656400a5717569657400a4676f6e6500a670686173657390a4756e6974c0a5756e69747380a66265666f\
    7265c2a86f75746c69766564c2";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn model() -> impl Strategy<Value = Model> {
    (crate::export::tests::knowledge(), 0i64..5, any::<bool>()).prop_map(|(known, since, archived)| {
        let mut model = Model::new("s", since);
        model.join(&known);
        if archived {
            model.state = State::Archived;
            model.returns_to = Some(State::Active);
        }
        model
    })
}

proptest! {
    #[test]
    fn a_file_gives_its_model_back(a in model()) {
        prop_assert_eq!(Model::decode(&a.encode().unwrap(), "h").unwrap(), a);
    }

    #[test]
    fn no_file_cut_or_changed_is_read(a in model(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let file = a.encode().unwrap();
        let at = at.index(file.len());
        prop_assert!(Model::decode(&file[..at], "h").is_err());
        let mut changed = file;
        changed[at] ^= 1 << bit;
        prop_assert!(Model::decode(&changed, "h").is_err());
    }
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let mut file = Model::new("s", 0).encode().unwrap();
    file[4] = 9;
    let refused = Model::decode(&file, "h").unwrap_err().to_string();
    assert!(refused.contains("format 9"), "{refused}");
}

#[test]
fn format_1_is_migrated() {
    let model = Model::decode(&bytes(FORMAT_ONE), "web-1").unwrap();
    assert_eq!((model.service.as_str(), model.state, model.since), ("web", State::Active, 4_000));
    let seen = |count, last| Sighting {
        first: 2_000,
        last,
        count,
        exe: "/usr/bin/python3".to_owned(),
        object: "/usr/bin/dash".to_owned(),
        starts: 0,
    };
    assert_eq!(model.granted["SHELL"][&Access::Execute].hosts, [("web-1".to_owned(), seen(2, 3_000))].into());
    assert_eq!(model.programs["/usr/bin/dash"].hosts, [("web-1".to_owned(), seen(1, 2_000))].into());
    assert_eq!(Model::decode(&model.encode().unwrap(), "other").unwrap(), model, "and written in this format");
    let mut changed = bytes(FORMAT_ONE);
    *changed.last_mut().unwrap() ^= 1;
    assert!(matches!(Model::decode(&changed, "web-1"), Err(ModelError::Checksum)));
}

#[test]
fn format_2_is_migrated() {
    let model = Model::decode(&bytes(FORMAT_TWO), "other").unwrap();
    assert_eq!((model.service.as_str(), model.state, model.since), ("web", State::Active, 4_000));
    let seen = &model.granted["SHELL"][&Access::Execute].hosts["web-1"];
    assert_eq!((seen.first, seen.count, seen.starts), (2_000, 1, 0), "granted for good, as it was");
    assert!(model.at_start().is_empty() && !model.progress.outlived());
    assert_eq!(Model::decode(&model.encode().unwrap(), "other").unwrap(), model, "and written in this format");
}

#[test]
fn what_only_starts_need_is_told_apart_until_it_is_needed_later() {
    let mut model = Model::new("web", 5);
    let (shell, by, start) = (("SHELL", Access::Execute), ("/usr/sbin/web", "/usr/bin/dash"), Seen::InStart(50));
    let grant: Grants = [("SHELL".to_owned(), [Access::Execute].into())].into();
    assert!(model.observe("h", shell, by, 10, start), "a grant");
    assert!(!model.observe("h", shell, by, 11, start), "within the same start");
    assert_eq!((model.in_starts(), model.at_start()), (grant.clone(), Grants::new()));
    assert!(model.observe("h", shell, by, 100, start), "another start");
    assert_eq!(model.at_start(), grant);
    let mut here = Model::new("web", 5);
    here.observe("here", shell, by, 10, start);
    let mut there = here.clone();
    there.join(&model.knowledge());
    assert_eq!(there.at_start(), grant);
    assert!(model.observe("h", shell, by, 101, Seen::Later), "one for good");
    assert!(model.in_starts().is_empty() && !model.observe("h", shell, by, 200, start));
    here.join(&model.knowledge());
    assert!(here.in_starts().is_empty(), "another host has seen it later than in a start");
}

#[test]
fn observations_become_grants_once() {
    let mut model = Model::new("web", 5);
    assert!(model.observe("h", ("SHELL", Access::Execute), ("/usr/bin/python3", "/usr/bin/dash"), 10, Seen::Later));
    assert!(!model.observe(
        "h",
        ("SHELL", Access::Execute),
        ("/usr/bin/python3", "/usr/bin/bash"),
        20,
        Seen::InStart(5)
    ));
    assert!(model.observe("h", ("SHELL", Access::Write), ("/usr/bin/vi", "/etc/profile"), 30, Seen::Later));
    let masks = Catalogue::builtin().masks(&model.grants());
    assert_eq!((masks.get(Access::Execute), masks.get(Access::Write), masks.get(Access::Read)), (256, 256, 0));
    let evidence = &model.granted["SHELL"][&Access::Execute];
    assert_eq!(evidence.earliest().map(|(host, seen)| (host, seen.first)), Some(("h", 10)));
    assert_eq!((evidence.last(), evidence.count()), (20, 2));
    assert_eq!(evidence.hosts["h"].object, "/usr/bin/dash");
}

#[test]
fn programs_are_bounded() {
    let mut model = Model::new("s", 0);
    for number in 0..PROGRAMS_MAX {
        assert!(model.observe_program("h", &format!("/{number}"), "/x", 1));
    }
    assert!(!model.observe_program("h", "/one-more", "/x", 1));
    assert!(!model.observe_program("h", "/0", "/x", 2), "a known one is no new one");
    assert_eq!((model.programs.len(), model.programs["/0"].count()), (PROGRAMS_MAX, 2));
}

#[test]
fn learning_goes_on_or_counts_anew() {
    let learned = |from: State, to: State| {
        let mut model = Model::new("s", 0);
        model.state = from;
        let moment = |at| crate::maturity::Moment { boot: "b".to_owned(), at };
        model.progress.advance(State::Learning, &moment(0));
        model.progress.advance(State::Learning, &moment(5_000));
        model.enter(to, 9);
        (model.progress.learned().as_secs(), model.returns_to)
    };
    for (from, to) in
        [(State::Learning, State::Manual), (State::Manual, State::Learning), (State::Archived, State::Learning)]
    {
        assert_eq!(learned(from, to), (5, None), "{from:?} to {to:?} goes on");
    }
    for (from, to) in
        [(State::Learning, State::Learning), (State::Active, State::Learning), (State::Active, State::Manual)]
    {
        assert_eq!(learned(from, to), (0, None), "{from:?} to {to:?} begins anew");
    }
    assert_eq!(learned(State::Active, State::Archived).1, Some(State::Active));
}

#[test]
fn format_3_is_read() {
    let model = Model::decode(&bytes(FORMAT_THREE), "other").unwrap();
    let mut expected = Model::new("web", 4_000);
    expected.state = State::Active;
    expected.observe("web-1", ("SHELL", Access::Execute), ("/usr/bin/python3", "/usr/bin/dash"), 2_000, Seen::Later);
    assert_eq!(model, expected);
}

#[test]
fn a_file_of_one_format_is_none_of_another() {
    let file = Model::new("web", 4_000).encode().unwrap();
    for format in 0..=FORMAT + 1 {
        let mut changed = file.clone();
        changed[4..8].copy_from_slice(&format.to_le_bytes());
        assert_eq!(Model::decode(&changed, "h").is_ok(), format == FORMAT, "{format}");
    }
}
