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
    let rules = parse("p.toml", GOOD).unwrap();
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
fn unknown_keys_and_broken_toml_are_told_with_their_line() {
    let found = problems("[[rule]]\nname = \"a\"\nservices = [\"x\"]\nviolation = \"alert\"\n");
    assert!(found[0].starts_with("p.toml:4:1: unknown field `violation`"), "{found:?}");
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
    let found = parse_all([("a.toml", GOOD), ("b.toml", GOOD)]).unwrap_err();
    assert!(found[0].to_string().starts_with("b.toml:3:8: expected a name of its own, as a.toml:3:8"), "{found:?}");
}
