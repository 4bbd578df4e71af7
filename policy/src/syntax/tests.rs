#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

const GOOD: &str = r#"
[[rule]]
name = "web servers must not manage users"
services = ["http-server", "getty@tty1.service"]
violations = "alert"
[rule.capabilities]
USER_ADMIN = "prevent"
"SSH.write" = "prevent"
[rule.outbound]
deny = [{ to = "203.0.113.0/24", ports = [25, "6660-6669"] }, { to = "2001:db8::1" }]
effect = "prevent"
"#;

fn problems(text: &str) -> Vec<String> {
    parse("p.toml", text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_rule_is_read_whole() {
    let rules = parse("p.toml", GOOD).unwrap().rules;
    let rule = &rules[0];
    assert_eq!(rule.services, ["http-server", "getty@"]);
    assert_eq!(rule.effect(6, Access::Execute), Some(Effect::Prevent));
    assert_eq!(rule.effect(7, Access::Write), Some(Effect::Prevent));
    assert_eq!(rule.effect(7, Access::Read), None);
    let deny = &rule.outbound.as_ref().unwrap().deny;
    assert_eq!((deny[0].bits, deny[0].address[10..].to_vec()), (120, vec![0xff, 0xff, 203, 0, 113, 0]));
    assert_eq!(deny[0].ports, [(25, 25), (6660, 6669)]);
    assert_eq!(deny[1].bits, 128);
    assert_eq!(rule.place.to_string(), "p.toml:3:8");
}

#[test]
fn spellings_of_an_address_are_one() {
    assert_eq!(outbound::network("::ffff:203.0.113.0/120").unwrap(), outbound::network("203.0.113.0/24").unwrap());
    assert_eq!(outbound::network("::ffff:203.0.113.7").unwrap(), outbound::network("203.0.113.7").unwrap());
}

#[test]
fn each_problem_has_its_place_and_its_text() {
    for (bad, place, part, offending) in [
        ("USER_ADMIN = \"prevent\"", "p.toml:7:1", "expected a capability", "USER_ADMINS"),
        ("\"SSH.write\" = \"prevent\"", "p.toml:8:1", "behind the dot", "SSH.writing"),
        ("203.0.113.0/24", "p.toml:10:16", "203.0.113.0/24", "203.0.113.9/24"),
        ("effect = \"prevent\"", "p.toml:11:10", "expected \"alert\"", "never"),
        ("violations = \"alert\"", "p.toml:5:14", "expected \"alert\"", "maybe"),
        ("services = [\"http-server\"", "p.toml:4:13", "name of a service", "a b"),
        ("[25,", "p.toml:10:43", "expected a port", "70000"),
    ] {
        let text = match offending {
            "USER_ADMINS" => GOOD.replace("USER_ADMIN ", "USER_ADMINS "),
            "SSH.writing" => GOOD.replace("SSH.write", "SSH.writing"),
            "203.0.113.9/24" => GOOD.replace("203.0.113.0/24", offending),
            "never" => GOOD.replace("effect = \"prevent\"", "effect = \"never\""),
            "maybe" => GOOD.replace("violations = \"alert\"", "violations = \"maybe\""),
            "a b" => GOOD.replace("\"http-server\"", "\"a b\""),
            _ => GOOD.replace("[25,", "[70000,"),
        };
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{bad}: {found:?}");
        assert!(found[0].starts_with(place), "{bad}: {found:?}");
        assert!(found[0].contains(part) && found[0].ends_with(&format!("`{offending}`")), "{bad}: {found:?}");
    }
}

#[test]
fn what_was_never_seen_is_recorded_or_not_and_never_refused() {
    let text = |word: &str| format!("[[rule]]\nname = \"a\"\nservices = [\"x\"]\nanomalous = \"{word}\"\n");
    assert_eq!(parse("p", &text("disable")).unwrap().rules[0].anomalous, Some(Effect::Disable));
    let found = problems(&text("prevent"));
    assert_eq!(found, ["p.toml:4:13: expected \"alert\" or \"disable\": `prevent`"]);
}

#[test]
fn unknown_keys_and_broken_toml_are_told_with_their_line() {
    let found = problems("[[rule]]\nname = \"a\"\nservices = [\"x\"]\nviolation = \"alert\"\n");
    assert!(found[0].starts_with("p.toml:4:1: unknown key, expected one of name, "), "{found:?}");
    let found = problems("[[rule]\n");
    assert!(found[0].starts_with("p.toml:1:"), "{found:?}");
    let found = problems("[[rule]]\nname = \"a\"\nservices = []\n");
    assert!(found[0].contains("at least one service"), "{found:?}");
}

#[test]
fn several_problems_are_told_together_and_no_rule_is_given() {
    let text = GOOD.replace("USER_ADMIN ", "NOPE ").replace("203.0.113.0/24", "nowhere");
    assert_eq!(problems(&text).len(), 2);
}

#[test]
fn a_name_belongs_to_one_rule() {
    let found = parse_all([("a.toml", GOOD), ("b.toml", GOOD)], &Bits::new()).unwrap_err();
    assert!(found[0].to_string().starts_with("b.toml:3:8: expected a name of its own, as a.toml:3:8"), "{found:?}");
}

/// Everything that is wrong with one file, in the order of its lines.
const WRONG: &str = r#"
rules = 1
[[rule]]
services = []
violation = "alert"
violations = ["alert"]
[rule.capabilities]
SHELL = "deny"
SSH.write = "prevent"
SSH.writing = "prevent"
USER_ADMIN = "alert"
USERS_ADMIN = "alert"
SHEL = "prevent"
[[rule]]
name = 7
services = "web"
breaks_hosts = true
outbound = { deny = [], effect = "never", ports = [1] }
[[rule]]
name = "b"
services = ["*@tty1", "a*b", 5, "web"]
[rule.outbound]
deny = [
    { to = "203.0.113.9/24" },
    { to = "fe80::1%eth0" },
    { to = "::ffff:203.0.113.9/120" },
    { ports = [1] },
    { to = "192.0.2.1", ports = [] },
    { to = "192.0.2.1", ports = [-1, 65536, 0x19, "9-1", "1-2"], port = 3 },
    "192.0.2.1",
]
[[rule]]
name = "b"
services = ["x"]
"#;

/// Where and what, in the order of the lines.
const WRONG_PLACES: [(&str, &str); 29] = [
    ("2:1", "rules"),
    ("3:1", "[[rule]]"),
    ("4:12", "[]"),
    ("5:1", "violation"),
    ("6:14", "[\"alert\"]"),
    ("8:9", "deny"),
    ("10:5", "SSH.writing"),
    ("11:1", "USER_ADMIN"),
    ("13:1", "SHEL"),
    ("15:8", "7"),
    ("16:12", "web"),
    ("17:16", "true"),
    ("18:21", "[]"),
    ("18:34", "never"),
    ("18:43", "ports"),
    ("21:13", "*@tty1"),
    ("21:23", "a*b"),
    ("21:30", "5"),
    ("24:12", "203.0.113.9/24"),
    ("25:12", "fe80::1%eth0"),
    ("26:12", "::ffff:203.0.113.9/120"),
    ("27:5", "{ ports = [1] }"),
    ("28:33", "[]"),
    ("29:34", "-1"),
    ("29:38", "65536"),
    ("29:51", "9-1"),
    ("29:66", "port"),
    ("30:5", "192.0.2.1"),
    ("33:8", "b"),
];

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    let found: Vec<(String, String, String)> = parse("p", WRONG)
        .unwrap_err()
        .into_iter()
        .map(|problem| (format!("{}:{}", problem.place.line, problem.place.column), problem.text, problem.message))
        .collect();
    let places: Vec<(&str, &str)> = found.iter().map(|(place, text, _)| (place.as_str(), text.as_str())).collect();
    assert_eq!(places, WRONG_PLACES);
    let message = |place: &str| found.iter().find(|(at, ..)| at == place).map(|(.., message)| message.as_str());
    assert_eq!(message("3:1"), Some("expected `name = \"…\"` in this rule"));
    assert!(message("13:1").is_some_and(|text| text.contains("did you mean SHELL?")));
    assert_eq!(message("33:8"), Some("expected a name of its own, as p:20:8 has this one already"));
}

#[test]
fn several_mistakes_of_toml_itself_are_told() {
    let found = problems("[[rule]]\nname = \nservices = [\"a\"\nname = \"x\"\n");
    assert!(found.len() >= 2 && found[0].starts_with("p.toml:2:"), "{found:?}");
    let found = problems("[[rule]]\nname = \"a\"\nname = \"b\"\nservices = [\"x\"]\n");
    assert!(found[0].starts_with("p.toml:3:1: duplicate key"), "{found:?}");
    assert!(problems("[rule]\nname = \"a\"\n")[0].contains("expected `[[rule]]`"));
    assert_eq!(parse("p", "# nothing\n").unwrap().rules, []);
}

#[test]
fn an_access_may_stand_without_quotes() {
    let text = "[[rule]]\nname = \"a\"\nservices = [\"x\"]\n[rule.capabilities]\nSSH.write = \"prevent\"\n";
    let rules = parse("p", text).unwrap().rules;
    assert_eq!(rules[0].effect(7, Access::Write), Some(Effect::Prevent));
    assert_eq!(rules[0].effect(7, Access::Read), None);
}

#[test]
fn names_of_services_lose_what_says_nothing() {
    let text = "[[rule]]\nname = \"a\"\nservices = [\"web.service\", \"*.service\", \"pg@15-main\", \"my-*\"]\n";
    assert_eq!(parse("p", text).unwrap().rules[0].services, ["web", "*", "pg@", "my-*"]);
}

proptest::proptest! {
    /// Whatever a file holds, reading it ends with rules or with problems that have a place in it.
    #[test]
    fn no_file_is_too_strange(text in r#"((\[\[?rule(\.[a-z]{1,5})?\]\]?|name|services|[A-Z]{3,5}|deny|to|=|"[^"]{0,5}"|[0-9]{1,3}|\[|\]|\{|\}|\.|,|é)[ \n]?){0,25}"#) {
        if let Err(problems) = parse("p", &text) {
            proptest::prop_assert!(!problems.is_empty());
            for problem in problems {
                proptest::prop_assert!(problem.place.line >= 1 && problem.place.line <= text.lines().count() + 1);
            }
        }
    }
}

const OWN: &str = r#"
[[capability]]
name = "PAYROLL"
description = "Payroll data"
severity = "critical"
executables = ["payctl", "/opt/payroll/bin/*"]
sockets = ["/run/payroll.sock"]
[capability.files]
read = ["/srv/payroll/**", "~/.payroll/*.key"]
write = ["/srv/payroll/**"]
"#;

#[test]
fn operators_add_capabilities_which_rules_of_any_file_may_name() {
    let rule = "[[rule]]\nname = \"a\"\nservices = [\"x\"]\ncapabilities = { \"PAYROLL.read\" = \"prevent\" }\n";
    let policy = parse_all([("a.toml", rule), ("b.toml", OWN)], &Bits::new()).unwrap();
    assert_eq!(policy.rules[0].effect(15, Access::Read), Some(Effect::Prevent));
    let own = policy.catalogue.iter().last().unwrap();
    assert_eq!((own.name.as_str(), own.bit, own.severity.as_str()), ("PAYROLL", 15, "critical"));
    assert_eq!(own.patterns().count(), 5);
    let kept = Bits::from([("PAYROLL".to_owned(), 40)]);
    let policy = parse_all([("a.toml", rule), ("b.toml", OWN)], &kept).unwrap();
    assert_eq!(policy.rules[0].effect(40, Access::Read), Some(Effect::Prevent));
}

#[test]
fn what_is_wrong_with_a_capability_is_told() {
    for (from, to, place, part) in [
        ("\"PAYROLL\"", "\"SSH\"", "3:8", "this capability is built in"),
        ("\"PAYROLL\"", "\"USER_ADMIN\"", "3:8", "this capability is built in"),
        ("\"PAYROLL\"", "\"pay\"", "3:8", "a name of its own such as PAYROLL"),
        ("\"PAYROLL\"", "\"CAPABILITY_3\"", "3:8", "a name of its own such as PAYROLL"),
        ("\"critical\"", "\"grave\"", "5:12", "low, medium, high, critical"),
        ("\"payctl\"", "\"pay ctl\"", "6:16", "bare name of a program"),
        ("\"/run/payroll.sock\"", "\"payroll.sock\"", "7:12", "begins with / or ~/"),
        ("\"/run/payroll.sock\"", "\"/run/pay*roll\"", "7:12", "at one end"),
        ("[\"/run/payroll.sock\"]", "[]", "7:11", "at least one path"),
        ("read = [\"/srv/payroll/**\"", "read = [\"/srv/payroll/**\", \"/srv/payroll/a\"", "9:28", "can never decide"),
        ("write =", "delete =", "10:1", "unknown key, expected one of read, write"),
    ] {
        let found = problems(&OWN.replace(from, to));
        assert_eq!(found.len(), 1, "{to}: {found:?}");
        assert!(found[0].starts_with(&format!("p.toml:{place}: ")) && found[0].contains(part), "{to}: {found:?}");
    }
    let found = parse_all([("a", OWN), ("b", OWN)], &Bits::new()).unwrap_err();
    assert!(found[0].to_string().starts_with("b:3:8: expected a name of its own, as a:3:8"), "{found:?}");
    let many: String = (0..50).map(|number| OWN.replace("PAYROLL", &format!("P{number}"))).collect();
    let found = problems(&many);
    assert!(found.len() == 1 && found[0].contains("at most 64 capabilities"), "{found:?}");
    assert!(problems("[[capability]]\nname = \"A\"\n")[0].contains("expected executables, sockets or files"));
}

#[test]
fn rules_say_for_whom_and_how_long_they_hold() {
    let text = |more: &str| format!("[[rule]]\nname = \"a\"\nservices = [\"x\"]\n{more}\n");
    let facts = |more: &str| parse("p", &text(more)).unwrap().rules[0].facts.clone();
    let here = facts("hosts = [\"web-*\", \"db1\"]");
    assert!(here.hold("web-7", 0) && here.hold("db1", 0) && !here.hold("db2", 0));
    for (end, at) in [
        ("2027-01-31", 1_801_353_600_000),
        ("2027-01-31T01:00:00+01:00", 1_801_353_600_000),
        ("\"2027-01-31T00:00:00Z\"", 1_801_353_600_000),
        ("2027-01-31T00:00:01", 1_801_353_601_000),
    ] {
        let facts = facts(&format!("expires = {end}"));
        assert_eq!(facts.expires, Some(at), "{end}");
        assert!(facts.hold("any", at - 1) && !facts.hold("any", at), "{end}");
    }
    let told = facts("owner = \"ops\"\nreason = \"ticket 7\"\ntags = [\"pci\", \"db\"]");
    assert_eq!((told.owner.as_deref(), told.reason.as_deref()), (Some("ops"), Some("ticket 7")));
    assert_eq!(told.tags, ["pci", "db"]);
    for wrong in ["hosts = [\"a b\"]", "hosts = []", "expires = 7", "expires = \"soon\"", "owner = \"\"", "tags = [1]"]
    {
        assert_eq!(problems(&text(wrong)).len(), 1, "{wrong}");
    }
}

#[test]
fn programs_of_a_rule_are_a_capability_that_only_it_speaks_about() {
    let text = "[[rule]]\nname = \"web\"\nservices = [\"x\"]\n[rule.programs]\nonly = [\"nginx\", \"/opt/web/**\"]\n\
                [[rule]]\nname = \"db\"\nservices = [\"y\"]\n[rule.programs]\ndeny = [\"nc\"]\nwritten = \"deny\"\neffect = \"alert\"\n";
    let policy = parse("p", text).unwrap();
    let [web, db] = ["PROGRAMS(web)", "PROGRAMS(db)"].map(|name| policy.catalogue.index(name).unwrap());
    assert_eq!((web, db), (15, 16));
    assert_eq!(policy.rules[0].effect(web, Access::Execute), Some(Effect::Prevent));
    assert_eq!(policy.rules[1].effect(db, Access::Execute), Some(Effect::Alert));
    assert_eq!(policy.rules[0].effect(db, Access::Execute), None);
    for (wrong, place, part) in [
        ("programs = {}", "4:12", "expected only, deny or written here"),
        ("programs = { only = [] }", "4:21", "at least one path"),
        ("programs = { deny = [\"a b\"] }", "4:22", "bare name of a program"),
        ("programs = { written = true }", "4:24", "expected \"deny\""),
        ("programs = { deny = [\"nc\"], effect = \"allow\" }", "4:38", "expected \"alert\" or \"prevent\""),
    ] {
        let found = problems(&format!("[[rule]]\nname = \"a\"\nservices = [\"x\"]\n{wrong}\n"));
        assert_eq!(found.len(), 1, "{wrong}: {found:?}");
        assert!(found[0].starts_with(&format!("p.toml:{place}: ")) && found[0].contains(part), "{wrong}: {found:?}");
    }
    let many: String = (0..50)
        .map(|number| format!("[[rule]]\nname = \"{number}\"\nservices = [\"x\"]\nprograms = {{ deny = [\"nc\"] }}\n"))
        .collect();
    let found = problems(&many);
    assert!(found.len() == 1 && found[0].starts_with("p.toml:198:8: expected at most 64 capabilities"), "{found:?}");
}

#[test]
fn slices_are_named_whole_and_no_unit_is_a_template_of_nothing() {
    let read = |service: &str| parse("p", &format!("[[rule]]\nname = \"r\"\nservices = [\"{service}\"]\n"));
    for (written, meant) in [("-.slice", "-.slice"), ("a-b\\\\x2dc.slice", "a-b\\x2dc.slice"), ("x@1.service", "x@")] {
        assert_eq!(read(written).unwrap().rules[0].services, [meant], "{written}");
    }
    for (written, part) in [
        ("system-*.slice", "expected a slice by its whole name"),
        ("-a.slice", "expected a slice by its whole name"),
        ("a.slice.service", "expected a slice by its whole name"),
        ("@x", "expected the name of a service"),
        ("@*", "expected the name of a service"),
    ] {
        let problems = read(written).unwrap_err();
        assert!(
            problems.len() == 1 && problems[0].to_string().starts_with(&format!("p:3:13: {part}")),
            "{written}: {problems:?}"
        );
    }
}
