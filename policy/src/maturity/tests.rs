#![allow(clippy::unwrap_used)]

use super::*;

const STEADY: Duration = Duration::from_secs(10);

fn graduation(phases: &[Phase]) -> Graduation {
    let seconds = Duration::from_secs;
    let phases = phases.iter().copied().collect();
    Graduation { learning: seconds(100), quiet: seconds(20), steady: STEADY, start: seconds(30), phases }
}

fn at(boot: &str, seconds: u64) -> Moment {
    Moment { boot: boot.to_owned(), at: seconds * 1000 }
}

fn unit(invocation: &str) -> Unit {
    let invocation = Some(invocation.to_owned());
    Unit { name: "web.service".to_owned(), loaded: true, invocation, ..Unit::default() }
}

fn waits(progress: &Progress, phases: &[Phase]) -> Vec<String> {
    progress.maturity(State::Learning, &graduation(phases)).waits_for
}

#[test]
fn time_alone_counts_by_boots_and_only_what_they_saw() {
    let mut progress = Progress::default();
    for now in [at("a", 1000), at("a", 1060), at("b", 5), at("b", 44)] {
        progress.advance(State::Learning, &now);
    }
    assert_eq!(progress.learned(), Duration::from_secs(99), "60 s and 39 s; what lies between boots is not known");
    assert_eq!(waits(&progress, &[]), ["1 s more of learning"]);
    progress.novelty();
    progress.advance(State::Learning, &at("b", 45));
    assert_eq!(waits(&progress, &[]), ["19 s more without anything new"]);
    assert_eq!(
        progress.left(&graduation(&[Phase::Reload])),
        Duration::from_secs(19),
        "of the times, whatever else is missing"
    );
    progress.advance(State::Learning, &at("b", 30));
    assert_eq!(progress.learned(), Duration::from_secs(100), "a clock that goes back takes nothing away");
    progress.advance(State::Learning, &at("b", 49));
    let maturity = progress.maturity(State::Learning, &graduation(&[]));
    assert_eq!((maturity.percent, maturity.waits_for.is_empty(), maturity.quiet), (100, true, 20));
}

#[test]
fn nothing_counts_while_evidence_is_lost() {
    let mut progress = Progress::default();
    progress.advance(State::Learning, &at("a", 0));
    progress.advance(State::Learning, &at("a", 99));
    assert!(progress.stand_still(&at("a", 150)), "what was quiet is not any more");
    assert!(!progress.stand_still(&at("a", 160)));
    assert_eq!(waits(&progress, &[]), ["1 s more of learning", "20 s more without anything new"]);
    let one = Unit { reloads: true, up: Some(STEADY * 9), stops_whole: true, ..unit("one") };
    let look = |progress: &mut Progress, away: bool| {
        let look = if away { Progress::look_away } else { Progress::look };
        look(progress, std::slice::from_ref(&one), false, &graduation(&[]), &at("a", 160))
    };
    assert!(!look(&mut progress, true) && !progress.outlived());
    assert_eq!(waits(&progress, &[Phase::Start]).last().map(String::as_str), Some("a start"));
    look(&mut progress, false);
    assert_eq!(waits(&progress, &[Phase::Start]).last().map(String::as_str), Some("a start"), "that start is over");
    progress.advance(State::Learning, &at("a", 181));
    assert!(waits(&progress, &[]).is_empty());
}

#[test]
fn a_service_that_reloads_needs_its_reload() {
    let all = Phase::ASKED;
    let mut progress = Progress::default();
    progress.advance(State::Learning, &at("a", 0));
    progress.advance(State::Learning, &at("a", 200));
    assert_eq!(waits(&progress, &all).len(), 3, "start, steady, and what systemd knows: {:?}", waits(&progress, &all));
    let first = Unit { reloads: true, timed: true, up: Some(STEADY), ..unit("one") };
    assert!(progress.look(std::slice::from_ref(&first), false, &graduation(&[]), &at("a", 200)));
    assert_eq!(waits(&progress, &all), ["a reload", "a run started by its timer"]);
    let by_timer = Unit { by_timer: true, ..first.clone() };
    let second = Unit { invocation: Some("two".to_owned()), ..by_timer };
    assert!(progress.look(std::slice::from_ref(&second), false, &graduation(&[]), &at("a", 201)));
    assert_eq!(waits(&progress, &all), ["a reload"], "a restart is no reload where there is one");
    assert!(!progress.look(std::slice::from_ref(&second), false, &graduation(&[]), &at("a", 202)));
    let reloaded = Unit { reload: Some("r".to_owned()), ..second };
    assert!(progress.look(&[reloaded], false, &graduation(&[]), &at("a", 203)));
    assert!(waits(&progress, &all).is_empty());
}

#[test]
fn one_that_cannot_reload_waits_for_a_restart() {
    let mut progress = Progress::default();
    progress.advance(State::Learning, &at("a", 0));
    progress.advance(State::Learning, &at("a", 200));
    let finished = Unit { finished: true, ..unit("one") };
    progress.look(std::slice::from_ref(&finished), false, &graduation(&[]), &at("a", 200));
    assert_eq!(waits(&progress, &Phase::ASKED), ["a restart, as its unit cannot reload"]);
    let again = Unit { invocation: Some("two".to_owned()), ..finished };
    progress.look(&[again], false, &graduation(&[]), &at("a", 201));
    assert!(waits(&progress, &Phase::ASKED).is_empty());
}

#[test]
fn what_began_before_the_learning_does_not_count() {
    let old = Unit { reloads: true, reload: Some("old".to_owned()), finished: true, ..unit("one") };
    for (mut progress, earlier) in [(Progress::default(), true), (Progress::anew(), false)] {
        assert!(!progress.look(std::slice::from_ref(&old), earlier, &graduation(&[]), &at("a", 1)), "{earlier}");
        assert!(!progress.look(std::slice::from_ref(&old), earlier, &graduation(&[]), &at("a", 2)), "{earlier}");
        let reloaded = Unit { reload: Some("new".to_owned()), ..old.clone() };
        progress.look(&[reloaded], earlier, &graduation(&[]), &at("a", 3));
        assert_eq!(progress.phases, [Phase::Reload].into(), "a reload that was seen counts whenever it was started");
        progress.look(&[unit("two")], earlier, &graduation(&[]), &at("a", 4));
        assert_eq!(progress.phases, [Phase::Start, Phase::Reload, Phase::Restart].into());
    }
    let mut progress = Progress::default();
    progress.look(&[unit("one")], true, &graduation(&[]), &at("a", 1));
    progress.look(&[unit("two")], true, &graduation(&[]), &at("b", 1));
    assert!(progress.phases.is_empty(), "in the next boot it was started before the programs, too");
}

#[test]
fn a_steady_run_is_one_while_learning() {
    let long = Unit { up: Some(Duration::from_secs(9999)), ..unit("one") };
    let mut progress = Progress::anew();
    progress.advance(State::Learning, &at("a", 0));
    assert!(
        !progress.look(std::slice::from_ref(&long), true, &graduation(&[]), &at("a", 0)),
        "it learns since a moment ago"
    );
    progress.advance(State::Learning, &at("a", 10));
    assert!(progress.look(&[long], true, &graduation(&[]), &at("a", 10)));
}

#[test]
fn a_unit_that_is_gone_is_told_and_counted() {
    let mut progress = Progress::default();
    progress.advance(State::Learning, &at("a", 0));
    progress.advance(State::Learning, &at("a", 200));
    assert!(!progress.look(&[Unit::default()], false, &graduation(&[]), &at("a", 200)));
    assert_eq!(progress.gone(false), Duration::from_secs(200));
    assert_eq!(progress.gone(true), Duration::ZERO);
    let archived = progress.maturity(State::Archived, &graduation(&Phase::ASKED));
    assert_eq!(archived.waits_for, ["its unit, which is gone"]);
    let manual = progress.maturity(State::Manual, &graduation(&[]));
    assert!(manual.waits_for.concat().contains("bartizan activate"), "{manual:?}");
}

#[test]
fn only_learning_counts_and_quiet_begins_anew_with_the_unit() {
    let (mut progress, counts) = (Progress::default(), graduation(&[]));
    let passed = |progress: &Progress| (progress.learned, progress.quiet, progress.gone);
    progress.advance(State::Archived, &at("a", 0));
    for state in [State::Archived, State::Active] {
        let now = progress.until.clone().unwrap();
        progress.advance(state, &Moment { at: now.at + 900_000_000, ..now });
    }
    assert_eq!(passed(&progress), (0, 0, 1_800_000_000));
    assert!(!progress.maturity(State::Learning, &counts).waits_for.is_empty(), "an imported one learns first");
    progress.back();
    progress.advance(State::Learning, &at("a", 2_000_000));
    assert_eq!(passed(&progress), (0, 0, 0), "what lies before its return does not count");
    progress.advance(State::Manual, &at("a", 2_000_007));
    assert_eq!(passed(&progress), (7000, 7000, 7000));
    progress.back();
    assert_eq!(passed(&progress), (7000, 0, 0));
}

#[test]
fn instances_are_bounded() {
    let many: Vec<Unit> = (0..200).map(|number| Unit { name: format!("x@{number}.service"), ..unit("one") }).collect();
    let mut progress = Progress::default();
    progress.look(&many, false, &graduation(&[]), &at("a", 1));
    assert_eq!(progress.units.len(), UNITS_MAX);
    progress.look(&many[..1], false, &graduation(&[]), &at("a", 2));
    assert_eq!(progress.units.len(), 1, "those that are gone are forgotten");
}

#[test]
fn times_are_told_in_fitting_units() {
    for (seconds, words) in
        [(5, "5 s"), (119, "119 s"), (121, "3 min"), (7200, "2 h"), (86_400, "24 h"), (172_801, "3 d")]
    {
        assert_eq!(in_words(seconds), words);
    }
}

#[test]
fn a_run_outlives_its_start_where_a_stop_leaves_nothing_behind() {
    let mut progress = Progress::default();
    let long = Unit { up: Some(Duration::from_secs(30)), ..unit("one") };
    let mut look = |unit: &Unit, at_second| {
        progress.look(std::slice::from_ref(unit), false, &graduation(&[]), &at("a", at_second))
    };
    look(&long, 30);
    assert!(!look(&Unit { up: Some(Duration::from_secs(29)), stops_whole: true, ..long.clone() }, 31));
    assert!(look(&Unit { stops_whole: true, ..long }, 32), "it is to be kept");
    assert!(progress.outlived() && progress.again().outlived());
    assert!(!Progress::default().outlived() && !Progress::anew().outlived());
}
