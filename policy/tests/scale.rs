//! Large policies: 500 services, 5,000 rules, 64 capabilities. Bounds are generous, for builds without optimisation on busy
//! machines; the figures are printed (`--nocapture`).
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use policy::capability::{CAPABILITIES_MAX, Catalogue, Grants};
use policy::check::findings;
use policy::compile::{Input, ServiceModel, compile};
use policy::host::BareHost;
use policy::model::State;
use policy::syntax::parse;

const SERVICES: usize = 500;
const RULES: usize = 5_000;
/// What is quadratic in the number of rules takes minutes.
const MOST: Duration = Duration::from_secs(20);

fn text() -> String {
    let own = CAPABILITIES_MAX - Catalogue::builtin().iter().count();
    let mut text = String::new();
    for number in 0..own {
        writeln!(
            text,
            "[[capability]]\nname = \"OWN_{number}\"\ndescription = \"of the operator\"\nseverity = \"low\""
        )
        .unwrap();
        writeln!(text, "[capability.files]\nwrite = [\"/srv/{number}/**\"]").unwrap();
    }
    for number in 0..RULES {
        let service = match number % 50 {
            0 => format!("s{}*", number / 50),
            1 => format!("system-{number}.slice"),
            _ => format!("s{}", number % SERVICES),
        };
        writeln!(text, "[[rule]]\nname = \"rule {number}\"\nservices = [\"{service}\"]\nhosts = [\"web-*\"]").unwrap();
        writeln!(
            text,
            "capabilities = {{ \"OWN_{}.write\" = \"prevent\", \"SHELL.execute\" = \"alert\" }}",
            number % own
        )
        .unwrap();
    }
    text
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = work();
    let took = started.elapsed();
    eprintln!("{what}, {SERVICES} services, {RULES} rules, {CAPABILITIES_MAX} capabilities: {took:.1?}");
    assert!(took < MOST, "{what} took {took:.1?}");
    done
}

#[test]
fn five_thousand_rules_are_read_checked_and_compiled_in_no_time() {
    let text = text();
    let policy = timed("reading", || parse("p", &text)).unwrap();
    assert_eq!((policy.rules.len(), policy.catalogue.iter().count()), (RULES, CAPABILITIES_MAX));
    let services: Vec<ServiceModel> = (0..SERVICES)
        .map(|number| ServiceModel {
            name: format!("s{number}"),
            state: State::Active,
            granted: Grants::new(),
            at_start: Grants::new(),
        })
        .collect();
    let input = Input { policy: &policy, services: &services, own: &[] };
    let compiled = timed("compiling", || compile(&input, &BareHost)).unwrap();
    assert!(compiled.services.len() >= SERVICES);
    assert!(!timed("checking", || findings(&policy, 0, "web-1", None)).is_empty());
}
