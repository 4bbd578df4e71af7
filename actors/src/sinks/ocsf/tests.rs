#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod tree;

use policy::access::Access;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::sample;
use super::*;
use crate::record::{Ancestor, Destination, Shown};

/// Attributes of class 2004 in version 1.3.0 with the profiles `security_control` and `host`, of
/// <https://schema.ocsf.io/1.3.0/classes/detection_finding>, as far as Bartizan has something to say; `true`: required.
const CLASS_FIELDS: [(&str, bool); 28] = [
    ("activity_id", true),
    ("activity_name", false),
    ("category_uid", true),
    ("category_name", false),
    ("class_uid", true),
    ("class_name", false),
    ("type_uid", true),
    ("type_name", false),
    ("time", true),
    ("severity_id", true),
    ("severity", false),
    ("message", false),
    ("count", false),
    ("is_alert", false),
    ("metadata", true),
    ("finding_info", true),
    ("device", false),
    ("actor", false),
    ("action_id", false),
    ("action", false),
    ("disposition_id", false),
    ("disposition", false),
    ("resources", false),
    ("policy", false),
    ("evidences", false),
    ("status_id", false),
    ("unmapped", false),
    ("observables", false),
];

fn denial() -> Record {
    Record {
        time: "2026-11-28T12:00:00.500Z".into(),
        id: 7,
        service: Some("web".into()),
        capability: Some("USERS_ADMIN".into()),
        capabilities: vec!["USERS_ADMIN".into()],
        access: Some(Access::Execute),
        verdict: Some("deny".into()),
        path: Some("/usr/sbin/useradd".into()),
        exe: Some("/usr/sbin/web".into()),
        pid: Some(12),
        uid: Some(0),
        rule: Some("users".into()),
        ..Record::plain(Kind::Capability, "Service web did it".to_owned())
    }
}

fn told(record: Record) -> Value {
    both(record, "here").0
}

/// As it is sent, and as a tree.
fn both(record: Record, host: &str) -> (Value, Value) {
    let (written, mut out) = (Written::try_from(record).unwrap(), Output::default());
    out.json(&Findings { records: &[&written], host }).unwrap();
    let [finding] = serde_json::from_slice(out.bytes()).unwrap();
    (finding, tree::finding(&written, host))
}

proptest! {
    #[test]
    fn a_finding_is_the_one_of_the_tree(record in sample::record(), host in sample::text()) {
        let (finding, tree) = both(record, &host);
        prop_assert_eq!(finding, tree);
    }
}

/// What the class demands of every finding.
fn is_of_the_class(finding: &Value) {
    let fields = finding.as_object().unwrap();
    for (name, required) in CLASS_FIELDS {
        assert!(!required || fields.contains_key(name), "{name} is required");
    }
    for name in fields.keys() {
        assert!(CLASS_FIELDS.iter().any(|(known, _)| known == name), "{name} is no attribute of the class");
    }
    let number = |name: &str| finding[name].as_u64().unwrap();
    assert_eq!((number("class_uid"), number("category_uid")), (2004, 2));
    assert_eq!(number("type_uid"), 200_400 + number("activity_id"));
    assert!([1, 2].contains(&number("activity_id")) && number("severity_id") <= 6);
    assert!(finding["time"].is_i64() && finding["time"].as_i64().unwrap() > 0);
    assert!(finding["metadata"]["version"].is_string() && finding["metadata"]["product"]["vendor_name"].is_string());
    assert!(finding["finding_info"]["uid"].is_string());
    assert!(finding["device"]["type_id"].is_u64());
    if let Some(action) = fields.get("action_id") {
        assert!([1, 2].contains(&action.as_u64().unwrap()));
    }
    for evidence in finding["evidences"].as_array().into_iter().flatten() {
        let some = ["actor", "file", "dst_endpoint"].iter().any(|name| evidence.get(name).is_some());
        assert!(some, "an evidence has at least one of these: {evidence}");
        for file in [&evidence["file"], &evidence["actor"]["process"]["file"]] {
            assert!(file.is_null() || file["name"].is_string() && file["type_id"].is_u64(), "{file}");
        }
        let connection = &evidence["connection_info"];
        assert!(connection.is_null() || connection["direction_id"].is_u64());
    }
}

#[test]
fn every_kind_of_record_is_a_finding_of_the_class() {
    for (_, kind) in crate::selection::KINDS {
        is_of_the_class(&told(Record::plain(kind, "one".to_owned())));
    }
    let to = Destination { address: "203.0.113.7".into(), port: 25, protocol: "tcp".into() };
    is_of_the_class(&told(Record { destination: Some(to), path: None, ..denial() }));
}

#[test]
fn a_denial_says_what_was_refused_to_whom() {
    let told = told(denial());
    is_of_the_class(&told);
    assert_eq!((told["action_id"].as_u64(), told["disposition_id"].as_u64()), (Some(2), Some(2)));
    assert_eq!(told["evidences"][0]["file"]["name"], "useradd");
    assert_eq!(told["evidences"][0]["actor"]["process"]["pid"], 12);
    assert_eq!(told["unmapped"]["capability"], "USERS_ADMIN");
    assert_eq!((&told["time"], &told["is_alert"]), (&json!(1_795_867_200_500_i64), &json!(true)));
}

#[test]
fn more_of_the_same_updates_the_finding() {
    let (first, more) = (told(denial()), told(Record { id: 9, repeats: Some(7), count: 40, ..denial() }));
    assert_eq!(more["finding_info"]["uid"], first["finding_info"]["uid"]);
    assert_eq!((&more["activity_id"], &more["count"]), (&json!(2), &json!(40)));
    assert_ne!(more["metadata"]["uid"], first["metadata"]["uid"]);
}

#[test]
fn techniques_and_parents_have_their_places() {
    let ancestor = |pid| Ancestor { pid, comm: format!("p{pid}").into(), start: "1970-01-01T00:00:01.000Z".into() };
    let record = Record {
        techniques: vec![Shown { id: "T1685.006".into(), older: Some("T1070.002".into()) }],
        ancestors: vec![ancestor(5), ancestor(4)],
        command: Some("web --serve".into()),
        ..denial()
    };
    let found = told(record);
    is_of_the_class(&found);
    let wanted = json!([
        {"technique": {"uid": "T1685"}, "sub_technique": {"uid": "T1685.006"}, "version": "19"},
        {"technique": {"uid": "T1070"}, "sub_technique": {"uid": "T1070.002"}, "version": "18"},
    ]);
    assert_eq!(found["finding_info"]["attacks"], wanted);
    let process = &found["evidences"][0]["actor"]["process"];
    assert_eq!((&process["cmd_line"], &process["parent_process"]["pid"]), (&json!("web --serve"), &json!(5)));
    assert_eq!(process["parent_process"]["parent_process"], json!({"pid": 4, "name": "p4", "created_time": 1000}));
}
