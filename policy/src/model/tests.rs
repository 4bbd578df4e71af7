#![allow(clippy::unwrap_used)]

use super::*;
use crate::capability::Catalogue;
use proptest::prelude::*;

fn evidence() -> impl Strategy<Value = Evidence> {
    (0i64..9, 0i64..9, 1u64..5, "[ab]", "[xy]").prop_map(|(first, more, count, exe, object)| Evidence {
        first,
        last: first + more,
        count,
        exe,
        object,
    })
}

fn model() -> impl Strategy<Value = Model> {
    let access = prop_oneof![Just(Access::Read), Just(Access::Write), Just(Access::Execute)];
    let grants = prop::collection::btree_map("[A-C]", prop::collection::btree_map(access, evidence(), 0..3), 0..3);
    let programs = prop::collection::btree_map("/[a-c]", evidence(), 0..3);
    let state = prop_oneof![Just(State::Learning), Just(State::Active), Just(State::Archived)];
    (grants, programs, state, 0i64..5).prop_map(|(granted, programs, state, since)| Model {
        service: "s".to_owned(),
        state,
        since,
        granted,
        programs,
    })
}

fn merged(a: &Model, b: &Model) -> Model {
    let mut joined = a.clone();
    joined.merge(b);
    joined
}

proptest! {
    #[test]
    fn merge_is_a_join(a in model(), b in model(), c in model()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(merged(&a, &a), a);
    }

    #[test]
    fn a_file_gives_its_model_back(a in model()) {
        prop_assert_eq!(Model::decode(&a.encode().unwrap()).unwrap(), a);
    }

    #[test]
    fn no_file_cut_or_changed_is_read(a in model(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let file = a.encode().unwrap();
        let at = at.index(file.len());
        prop_assert!(Model::decode(&file[..at]).is_err());
        let mut changed = file;
        changed[at] ^= 1 << bit;
        prop_assert!(Model::decode(&changed).is_err());
    }
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let mut file = Model::new("s", 0).encode().unwrap();
    file[4] = 9;
    let refused = Model::decode(&file).unwrap_err().to_string();
    assert!(refused.contains("format 9"), "{refused}");
}

#[test]
fn observations_become_grants_once() {
    let mut model = Model::new("web", 5);
    assert!(model.observe("SHELL", Access::Execute, "/usr/bin/python3", "/usr/bin/dash", 10));
    assert!(!model.observe("SHELL", Access::Execute, "/usr/bin/python3", "/usr/bin/bash", 20));
    assert!(model.observe("SHELL", Access::Write, "/usr/bin/vi", "/etc/profile", 30));
    let masks = Catalogue::builtin().masks(&model.grants());
    assert_eq!((masks.get(Access::Execute), masks.get(Access::Write), masks.get(Access::Read)), (256, 256, 0));
    let evidence = &model.granted["SHELL"][&Access::Execute];
    assert_eq!((evidence.first, evidence.last, evidence.count), (10, 20, 2));
    assert_eq!(evidence.object, "/usr/bin/dash");
}

#[test]
fn a_merge_is_bounded_and_still_a_join() {
    let filled = |offset: usize, step: usize| {
        let mut model = Model::new("s", 0);
        for number in 0..PROGRAMS_MAX {
            assert!(model.observe_program(&format!("/{:05}", offset + number * step), "/x", 1));
        }
        assert!(!model.observe_program("/one-more", "/x", 1));
        for number in 0..40 {
            model.observe(&format!("C{:03}", number * step), Access::Read, "/x", "/y", 1);
        }
        model
    };
    let (a, b, c) = (filled(0, 2), filled(1, 2), filled(700, 3));
    let all = merged(&merged(&a, &b), &c);
    assert_eq!((all.programs.len(), all.granted.len()), (PROGRAMS_MAX, CAPABILITIES_MAX));
    assert_eq!(all, merged(&a, &merged(&b, &c)));
    assert_eq!(all, merged(&c, &merged(&b, &a)));
}
