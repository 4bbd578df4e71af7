//! What is refused, and what is told.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::syntax::parse;

#[test]
fn the_name_of_the_self_tests_rule_is_taken() {
    let found = check(&parse("p", "[[rule]]\nname = \"self-test\"\nservices = [\"a\"]\n").unwrap());
    assert!(found.iter().all(|problem| problem.to_string().starts_with("p:2:8: this is the name")), "{found:?}");
    assert_eq!(found.len(), 1);
}

#[test]
fn preventing_for_every_service_takes_an_explicit_word() {
    let bare = "[[rule]]\nname = \"a\"\nservices = [\"*\"]\n";
    for more in [
        "violations = \"prevent\"\n",
        "capabilities = { SHELL = \"prevent\" }\n",
        "outbound = { deny = [{ to = \"192.0.2.1\" }] }\n",
    ] {
        let text = format!("{bare}{more}");
        let found = check(&parse("p", &text).unwrap());
        assert_eq!(found.len(), 1, "{more}");
        assert!(found.iter().all(|problem| problem.to_string().starts_with("p:2:8: a rule for every service")));
        let accepted = format!("{text}breaks_hosts = \"accepted\"\n");
        assert!(check(&parse("p", &accepted).unwrap()).is_empty(), "{more}");
    }
    assert!(check(&parse("p", &format!("{bare}violations = \"alert\"\n")).unwrap()).is_empty());
    for (services, wild) in [("-.slice", true), ("system.slice", true), ("system-web.slice", false)] {
        let text = format!("{}violations = \"prevent\"\n", bare.replace('*', services));
        assert_eq!(!check(&parse("p", &text).unwrap()).is_empty(), wild, "{services}");
    }
}

/// Findings of a text on a host that has these units, without the name of the file.
fn told(text: &str, units: &[&str]) -> Vec<String> {
    let units = Units {
        services: units.iter().map(|name| (*name).to_owned()).collect(),
        aliases: [("sshd".to_owned(), "ssh".to_owned())].into(),
        slices: ["system", "system-web-a"].map(str::to_owned).into(),
    };
    let policy = parse("p", text).unwrap();
    findings(&policy, NOW, "web-1", Some(&units)).iter().map(ToString::to_string).collect()
}

/// 2027-01-15T08:00:00Z.
const NOW: i64 = 1_800_000_000_000;

fn rule(name: &str, services: &str, more: &str) -> String {
    format!("[[rule]]\nname = \"{name}\"\nservices = [{services}]\n{more}\n")
}

const NONE: [&str; 0] = [];

#[test]
fn what_is_in_order_is_not_told() {
    let text = rule("all", "\"*\"", "violations = \"alert\"")
        + &rule("webs", "\"web-*\"", "capabilities = { SHELL = \"prevent\" }")
        + &rule("deploy", "\"web-deploy\"", "capabilities = { \"SHELL.execute\" = \"allow\" }")
        + &rule("too", "\"web-deploy\"", "capabilities = { \"SHELL.read\" = \"prevent\" }")
        + &rule("db", "\"db\"", "hosts = [\"db-*\"]\ncapabilities = { SHELL = \"prevent\" }")
        + &rule("db too", "\"db\"", "hosts = [\"web-*\"]\ncapabilities = { SHELL = \"allow\" }");
    assert_eq!(told(&text, &["web-deploy", "db"]), NONE);
}

#[test]
fn equals_that_say_different_things_are_told_with_both_places() {
    let text = rule("strict", "\"web\", \"db\"", "violations = \"prevent\"\ncapabilities = { SHELL = \"prevent\" }")
        + &rule("loose", "\"web\"", "violations = \"alert\"\ncapabilities = { SHELL = \"allow\", NET = \"allow\" }");
    let expected = [
        "p:7:8: finding: for web it says SHELL = \"allow\", and the rule \"strict\" (p:2:8), which names it as narrowly, \
         says \"prevent\": that counts: `loose`",
        "p:7:8: finding: for web it says violations = \"alert\", and the rule \"strict\" (p:2:8), which names it as \
         narrowly, says \"prevent\": that counts: `loose`",
    ];
    assert_eq!(told(&text, &["web", "db"]), expected);
    let one = rule("strict", "\"we*\"", "capabilities = { SHELL = \"prevent\" }");
    for (services, contradicts) in [("web*", true), ("we*", true), ("w*", true), ("*-1", false), ("db*", false)] {
        let text = one.clone()
            + &rule("loose", &format!("\"{services}\""), "capabilities = { SHELL = \"alert\", NET = \"alert\" }");
        let found = told(&text, &["web", "w", "db1", "x-1"]);
        assert_eq!(!found.is_empty(), contradicts, "{services}: {found:?}");
        assert_eq!(told(&text, &["web-1", "w", "db1", "x-1"]).is_empty(), services == "db*", "{services}");
    }
}

#[test]
fn programs_that_one_lists_and_another_refuses_are_told() {
    let only = rule("only", "\"web\"", "programs = { only = [\"/usr/bin/python3\", \"git\"] }");
    for (deny, told_of) in
        [("/usr/bin/python3", "/usr/bin/python3"), ("/usr/bin/*", "/usr/bin/python3"), ("git", "git"), ("nc", "")]
    {
        let text = only.clone() + &rule("deny", "\"we*\"", &format!("programs = {{ deny = [\"{deny}\"] }}"));
        let found = told(&text, &["web"]);
        let said = format!("p:2:8: finding: it lists {told_of} among the only programs, and the rule \"deny\" (p:6:8)");
        assert_eq!(found.iter().any(|one| one.starts_with(&said)), !told_of.is_empty(), "{deny}: {found:?}");
    }
    let recorded = only + &rule("deny", "\"web\"", "programs = { deny = [\"git\"], effect = \"alert\" }");
    assert_eq!(told(&recorded, &["web"]), NONE);
}

#[test]
fn what_never_decides_is_told() {
    let hidden = "it never decides anything: the rule \"first\" (p:2:8) comes before it in all that it says: `second`";
    let shell = "capabilities = { SHELL = \"prevent\" }";
    for (first, second, expected) in [
        // The same said twice.
        (["web", "prevent", ""], ["web", "prevent", ""], true),
        (["we*", "prevent", ""], ["web*", "allow", ""], true),
        (["system-web.slice", "prevent", ""], ["system-web.slice", "allow", ""], true),
        (["system-web.slice", "prevent", ""], ["system-web-a.slice", "allow", ""], false),
        (["-.slice", "prevent", "breaks_hosts = \"accepted\""], ["*", "allow", ""], true),
        (["*", "prevent", "breaks_hosts = \"accepted\""], ["*", "alert", ""], true),
        (["web*", "prevent", ""], ["we*", "allow", ""], false),
        (["web", "prevent", ""], ["we*", "allow", ""], false),
        (["web", "prevent", "hosts = [\"a*\"]"], ["web", "allow", ""], false),
        (["web", "prevent", "hosts = [\"a*\"]"], ["web", "allow", "hosts = [\"ab*\"]"], true),
        (["web", "prevent", "expires = 2027-03-01"], ["web", "allow", ""], false),
        (["web", "prevent", "expires = 2027-03-01"], ["web", "allow", "expires = 2027-02-01"], true),
        (["web", "prevent", "expires = 2027-01-01"], ["web", "allow", "expires = 2027-02-01"], false),
        (["web", "prevent", ""], ["web", "allow", "outbound = { deny = [{ to = \"192.0.2.1\" }] }"], false),
    ] {
        let one = |name: &str, [services, word, more]: [&str; 3]| {
            rule(name, &format!("\"{services}\""), &format!("{more}\n{}", shell.replace("prevent", word)))
        };
        let text = one("first", first) + &one("second", second);
        let found = told(&text, &["web", "we", "webs"]);
        assert_eq!(found.iter().any(|one| one.ends_with(hidden)), expected, "{text}: {found:?}");
    }
    // By two together.
    let text = rule("a", "\"web\"", shell)
        + &rule("b", "\"web\"", "violations = \"prevent\"")
        + &rule("c", "\"web\"", "violations = \"alert\"\ncapabilities = { \"SHELL.read\" = \"allow\" }");
    let found = told(&text, &["web"]);
    let both = "the rule \"a\" (p:2:8), the rule \"b\" (p:6:8) comes before it";
    assert!(found.iter().any(|one| one.contains(both)), "{found:?}");
}

#[test]
fn what_is_about_nothing_is_told() {
    let alert = "violations = \"alert\"";
    for (services, more, part) in [
        ("web", "", "finding: it says nothing: "),
        ("web", "violations = \"alert\"\nexpires = 2026-12-31", "finding: it holds no longer"),
        ("web", "violations = \"alert\"\nhosts = [\"-web\"]", "finding: no host is called \"-web\""),
        ("web", "violations = \"alert\"\nhosts = [\"a..b*\"]", "finding: no host is called \"a..b*\""),
        ("web.socket", alert, "finding: \"web.socket\" is called like a socket unit"),
        ("bartizand", alert, "finding: \"bartizand\" is Bartizan itself"),
        ("bartizan-selftest@x", alert, "finding: \"bartizan-selftest@\" is Bartizan itself"),
        ("systemd-journald", alert, "finding: \"systemd-journald\" is never refused anything"),
        ("sshd", alert, "note: \"sshd\" is another name of ssh on this host"),
        ("db.slice", alert, "note: this host has no slice db.slice"),
        ("nosuch*", alert, "note: this host has no unit that \"nosuch*\" fits"),
    ] {
        let found =
            told(&rule("r", &format!("\"{services}\""), more), &["web", "ssh", "systemd-journald", "web.socket"]);
        assert_eq!(found.len(), 1, "{services}: {found:?}");
        assert!(found.iter().all(|one| one.starts_with("p:2:8: ") && one.contains(part)), "{services}: {found:?}");
    }
    let elsewhere = rule("r", "\"nosuch\"", "violations = \"alert\"\nhosts = [\"db-*\"]");
    assert_eq!(told(&elsewhere, &["web"]), NONE, "it is not for this host");
}
