//! The kernel's maps of a large revision, on this machine: no hook, which it may not run, and no virtual machine. Needs root;
//! scripts/test runs it. The bound is generous, for builds without optimisation on busy machines; the figures are printed.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use libbpf_rs::ObjectBuilder;
use nix::time::{ClockId, clock_gettime};
use policy::capability::{CAPABILITIES_MAX, Catalogue, Grants};
use policy::compile::{Input, ServiceModel, compile};
use policy::compiled::Compiled;
use policy::host::BareHost;
use policy::model::State;
use policy::syntax::parse;

use super::*;
use crate::image::Image;

const SERVICES: usize = 500;
const RULES: usize = 5_000;
/// What is quadratic takes minutes.
const MOST: Duration = Duration::from_secs(20);
/// Of each second, while nothing happens: the daemon may take a thousandth of a processor for all that it does then.
const MOST_IDLE: Duration = Duration::from_millis(1);
/// What is counted; read every second.
const COUNTED: [&str; 2] = ["seen", "floods"];

/// `more`: a rule for one service says one thing more.
pub(crate) fn text(more: bool) -> String {
    let own = CAPABILITIES_MAX - Catalogue::builtin().iter().count();
    let mut text = String::new();
    let mut rule = |number: usize, service: usize, word: String| {
        let rule = format!("[[rule]]\nname = \"rule {number}\"\nservices = [\"s{service}\"]\n");
        writeln!(text, "{rule}capabilities = {{ \"{word}\" = \"prevent\" }}").unwrap();
    };
    for number in 0..RULES {
        rule(number, number % SERVICES, format!("OWN_{}.write", (number + number / SERVICES) % own));
    }
    if more {
        rule(RULES, 7, "SHELL.read".to_owned());
    }
    for number in 0..own {
        writeln!(text, "[[capability]]\nname = \"OWN_{number}\"\n[capability.files]\nwrite = [\"/srv/{number}/**\"]")
            .unwrap();
    }
    text
}

pub(crate) fn compiled(text: &str) -> Compiled {
    let policy = parse("p", text).unwrap();
    let service = |number| ServiceModel {
        name: format!("s{number}"),
        state: State::Active,
        granted: Grants::new(),
        at_start: Grants::new(),
    };
    let services: Vec<ServiceModel> = (0..SERVICES).map(service).collect();
    compile(&Input { policy: &policy, services: &services, own: &[] }, &BareHost).unwrap()
}

pub(crate) fn numbers(compiled: &Compiled) -> Numbers {
    (1..).zip(compiled.services.keys()).map(|(number, name)| (name.clone(), number)).collect()
}

/// The maps that revisions and counts are in, empty.
pub(crate) fn tables() -> Tables {
    let held = Image::render(&Compiled::default(), 0, &Numbers::new());
    let is_used = |name: &str| held.maps.contains_key(name) || COUNTED.contains(&name);
    let mut object = ObjectBuilder::default().open_memory(crate::load::OBJECT).unwrap();
    object.progs_mut().for_each(|mut program| program.set_autoload(false));
    for mut map in object.maps_mut() {
        let name = pin_name(&map.name().to_string_lossy());
        map.set_autocreate(is_used(&name)).unwrap();
    }
    let object = object.load().unwrap();
    let mut maps = BTreeMap::new();
    for map in object.maps() {
        let name = pin_name(&map.name().to_string_lossy());
        if is_used(&name) {
            maps.insert(name, MapHandle::try_from(&map).unwrap());
        }
    }
    Tables(maps)
}

/// Writes and reads back every map, as an installation does; how many entries there are, and how many were written.
pub(crate) fn installed(tables: &Tables, compiled: &Compiled) -> (usize, usize) {
    let image = Image::render(compiled, 0, &numbers(compiled));
    let (mut all, mut written) = (0, 0);
    for (map, entries) in &image.maps {
        all += entries.len();
        written += tables.write(map, entries, 0).unwrap();
        assert_eq!(tables.compare(map, entries, 0).unwrap(), [""; 0]);
    }
    (all, written)
}

/// Reads what is counted, of which there is nothing yet.
fn counts(tables: &Tables) {
    assert!(tables.all::<u64, types::bz_seen>("seen").unwrap().is_empty());
    assert!(tables.all::<types::bz_flood_key, u64>("floods").unwrap().is_empty());
}

/// Time on a processor, of the second of two runs.
fn taken(mut action: impl FnMut()) -> Duration {
    action();
    let spent = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let before = spent();
    action();
    spent() - before
}

#[test]
#[ignore = "makes BPF maps, which needs root"]
fn a_large_revision_is_compiled_and_installed_and_only_what_differs_is_written() {
    let tables = tables();
    let first = text(false);
    let started = Instant::now();
    let one = compiled(&first);
    let made = started.elapsed();
    let (all, written) = installed(&tables, &one);
    let took = started.elapsed();
    eprintln!(
        "{SERVICES} services, {RULES} rules, {CAPABILITIES_MAX} capabilities: read and compiled in {made:.1?}, {written} of {all} \
         entries written and all read back after {took:.1?}"
    );
    assert!(written >= RULES && took < MOST, "{written} {took:.1?}");
    assert_eq!(installed(&tables, &one).1, 0, "nothing differs, so nothing is written");
    let image = Image::render(&one, 0, &numbers(&one));
    let read_back =
        taken(|| assert!(image.maps.iter().all(|(map, all)| tables.compare(map, all, 0).unwrap().is_empty())));
    let counted = taken(|| counts(&tables));
    eprintln!(
        "of a processor, reading back takes {read_back:.1?}, and reading counts of which there are none {counted:.1?}"
    );
    // In the daemon less than all of it every 10 s, and every second.
    let share = read_back / 10 + counted;
    assert!(share < MOST_IDLE, "{share:.1?} of each second");
    // The service's masks, and the name of the rule that decides.
    let mut two = compiled(&text(true));
    two.renumber(&one.rules);
    assert_eq!(installed(&tables, &two).1, 2);
}
