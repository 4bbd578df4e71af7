mod plain;

use proptest::prelude::*;

use super::super::sample;
use super::*;
use crate::record::Kind;

fn told(record: &Record) -> String {
    let mut out = Output::default();
    message(&mut out, record, "here", std::process::id());
    String::from_utf8_lossy(out.bytes()).into_owned()
}

proptest! {
    #[test]
    fn a_message_is_the_plain_one(record in sample::record()) {
        prop_assert_eq!(told(&record), plain::message(&record, "here"));
    }
}

#[test]
fn a_record_becomes_a_message() {
    let record = Record {
        time: "2026-11-28T12:00:00.500Z".into(),
        id: 7,
        service: Some("web".into()),
        path: Some("/a \"b]\\c".into()),
        verdict: Some("deny".into()),
        command: Some("web \"x\"".into()),
        ..Record::plain(Kind::Capability, "Service web did it".to_owned())
    };
    let process = std::process::id();
    let wanted = format!(
        "<108>1 2026-11-28T12:00:00.500Z here bartizan {process} capability [bartizan@32473 id=\"7\" count=\"1\" \
         service=\"web\" verdict=\"deny\" path=\"/a \\\"b\\]\\\\c\" command=\"web \\\"x\\\"\"] Service web did it"
    );
    assert_eq!(told(&record), wanted);
    let beyond = Record { message: "é".into(), ..record };
    assert!(told(&beyond).ends_with("] \u{feff}é"));
}
