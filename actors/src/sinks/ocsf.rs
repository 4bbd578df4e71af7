//! Detection Findings (class 2004) of the Open Cybersecurity Schema Framework, version 1.3.0, posted as JSON arrays.
//!
//! The structures here are the objects of the schema, as far as Bartizan has something to say, with the names of the schema.
//! They borrow from the record and live while it is written.

mod evidence;

use std::fmt::{self, Display, Formatter};

use compact_str::CompactString;
use policy::access::Access;
use serde::{Serialize, Serializer};

use super::http::Post;
use super::output::{Output, as_text};
use super::severity::Severity;
use super::{Failure, Sink, Web};
use crate::host;
use crate::record::{Kind, Numbered, Record, Shown};
use crate::written::Written;
use evidence::Evidence;

/// A receiver of findings.
pub(super) struct Ocsf(Post);

impl Ocsf {
    pub(super) fn new(web: &Web) -> Ocsf {
        Ocsf(Post::new(web))
    }
}

impl Sink for Ocsf {
    fn deliver(&mut self, records: &[&Written]) -> Result<u64, Failure> {
        let host = host::name();
        let body = |to: &mut Output, records: &[&Written]| to.json(&Findings { records, host: &host });
        self.0.deliver(records, &body, &|_| Ok(0))
    }
}

/// A batch, of which each finding is made when it is written.
struct Findings<'a> {
    records: &'a [&'a Written],
    host: &'a str,
}

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.records.iter().map(|one| Finding::of(one, self.host)))
    }
}

#[derive(Serialize)]
struct Finding<'a> {
    #[serde(flatten)]
    class: &'static Class,
    time: i64,
    severity_id: u8,
    severity: &'static str,
    message: &'a str,
    count: u64,
    is_alert: bool,
    metadata: Metadata<'a>,
    finding_info: FindingInfo<'a>,
    device: Device<'a>,
    #[serde(flatten)]
    control: Option<&'static SecurityControl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<[Resource<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidences: Option<[Evidence<'a>; 1]>,
    unmapped: Unmapped<'a>,
}

impl<'a> Finding<'a> {
    /// A record as a finding. One that counts more acts of a kind updates the finding of the first.
    fn of(Written { record, ms, .. }: &'a Written, host: &'a str) -> Finding<'a> {
        let (severity_id, severity) = Severity::of(record).ocsf();
        let denied = record.verdict.as_deref() == Some("deny");
        let evidence = Evidence::of(record);
        Finding {
            class: if record.repeats.is_some() { &UPDATE } else { &CREATE },
            time: *ms,
            severity_id,
            severity,
            message: &record.message,
            count: record.count,
            is_alert: denied || record.kind == Kind::Tamper,
            metadata: Metadata::of(record, host),
            finding_info: FindingInfo::of(record, host, *ms),
            device: Device { hostname: host, type_id: 0, os: LINUX },
            control: record.verdict.as_ref().map(|_| if denied { &DENIED } else { &LOGGED }),
            resources: record.service.as_deref().map(|name| [Resource { r#type: "systemd service", name }]),
            policy: record.rule.as_deref().map(|name| Policy { name }),
            evidences: (evidence != Evidence::default()).then_some([evidence]),
            unmapped: Unmapped::of(record),
        }
    }
}

/// The class, and what is done to a finding of it.
#[derive(Serialize)]
struct Class {
    category_uid: u32,
    category_name: &'static str,
    class_uid: u32,
    class_name: &'static str,
    type_uid: u32,
    type_name: &'static str,
    activity_id: u32,
    activity_name: &'static str,
}

const CREATE: Class = Class {
    category_uid: 2,
    category_name: "Findings",
    class_uid: 2004,
    class_name: "Detection Finding",
    type_uid: 200_401,
    type_name: "Detection Finding: Create",
    activity_id: 1,
    activity_name: "Create",
};
const UPDATE: Class = Class {
    type_uid: 200_402,
    type_name: "Detection Finding: Update",
    activity_id: 2,
    activity_name: "Update",
    ..CREATE
};

/// The profile of that name, where something was decided.
#[derive(Serialize)]
struct SecurityControl {
    action_id: u32,
    action: &'static str,
    disposition_id: u32,
    disposition: &'static str,
}

const DENIED: SecurityControl =
    SecurityControl { action_id: 2, action: "Denied", disposition_id: 2, disposition: "Blocked" };
const LOGGED: SecurityControl =
    SecurityControl { action_id: 1, action: "Allowed", disposition_id: 17, disposition: "Logged" };

#[derive(Serialize)]
struct Metadata<'a> {
    version: &'static str,
    profiles: [&'static str; 2],
    product: Product,
    #[serde(serialize_with = "as_text")]
    uid: Identifier<'a>,
    sequence: u64,
}

impl<'a> Metadata<'a> {
    fn of(record: &Record, host: &'a str) -> Metadata<'a> {
        let product = Product { name: "Bartizan", vendor_name: "Bartizan", version: env!("CARGO_PKG_VERSION") };
        let (uid, sequence) = (Identifier { host, id: record.id }, record.id);
        Metadata { version: "1.3.0", profiles: ["security_control", "host"], product, uid, sequence }
    }
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
}

/// A number of a record that no other host has.
struct Identifier<'a> {
    host: &'a str,
    id: u64,
}

impl Display for Identifier<'_> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}", self.host, self.id)
    }
}

#[derive(Serialize)]
struct FindingInfo<'a> {
    #[serde(serialize_with = "as_text")]
    uid: Identifier<'a>,
    title: &'a str,
    types: [Kind; 1],
    analytic: Analytic<'a>,
    #[serde(skip_serializing_if = "Attacks::is_empty")]
    attacks: Attacks<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_time: Option<i64>,
}

impl<'a> FindingInfo<'a> {
    fn of(record: &'a Record, host: &'a str, time: i64) -> FindingInfo<'a> {
        let is_first = record.repeats.is_none();
        FindingInfo {
            uid: Identifier { host, id: record.repeats.unwrap_or(record.id) },
            title: &record.message,
            types: [record.kind],
            analytic: match &record.rule {
                Some(name) => Analytic { name, type_id: 1, r#type: "Rule" },
                None => Analytic { name: "model", type_id: 2, r#type: "Behavioral" },
            },
            attacks: Attacks(&record.techniques),
            first_seen_time: is_first.then_some(time),
            last_seen_time: (!is_first).then_some(time),
        }
    }
}

#[derive(Serialize)]
struct Analytic<'a> {
    name: &'a str,
    type_id: u32,
    r#type: &'static str,
}

/// Techniques, each once by its id and once more by the older one.
struct Attacks<'a>(&'a [Shown]);

impl Attacks<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Attacks<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().flat_map(|one| {
            let older = one.older.as_deref().map(|id| Attack::of(id, "18"));
            std::iter::once(Attack::of(&one.id, policy::attack::version())).chain(older)
        }))
    }
}

#[derive(Serialize)]
struct Attack<'a> {
    technique: Technique<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_technique: Option<Technique<'a>>,
    version: &'static str,
}

impl<'a> Attack<'a> {
    fn of(id: &'a str, version: &'static str) -> Attack<'a> {
        let (main, sub) = id.split_once('.').map_or((id, None), |(main, _)| (main, Some(id)));
        Attack { technique: Technique { uid: main }, sub_technique: sub.map(|uid| Technique { uid }), version }
    }
}

#[derive(Serialize)]
struct Technique<'a> {
    uid: &'a str,
}

#[derive(Serialize)]
struct Device<'a> {
    hostname: &'a str,
    type_id: u32,
    os: Os,
}

#[derive(Serialize)]
struct Os {
    name: &'static str,
    type_id: u32,
}

const LINUX: Os = Os { name: "Linux", type_id: 200 };

#[derive(Serialize)]
struct Resource<'a> {
    r#type: &'static str,
    name: &'a str,
}

#[derive(Serialize)]
struct Policy<'a> {
    name: &'a str,
}

/// What OCSF has no place for; what does not apply is null.
#[derive(Serialize)]
struct Unmapped<'a> {
    kind: Kind,
    capability: Option<&'a str>,
    capabilities: &'a [CompactString],
    access: Option<&'static str>,
    repeats: Option<u64>,
    revision: Option<u64>,
    device: Option<&'a str>,
    inode: Option<u64>,
    login_uid: Option<u32>,
    container: Option<&'a str>,
    sequence: Option<Numbered>,
}

impl<'a> Unmapped<'a> {
    fn of(record: &'a Record) -> Unmapped<'a> {
        Unmapped {
            kind: record.kind,
            capability: record.capability.as_deref(),
            capabilities: &record.capabilities,
            access: record.access.map(Access::name),
            repeats: record.repeats,
            revision: record.revision,
            device: record.device.as_deref(),
            inode: record.inode,
            login_uid: record.login_uid,
            container: record.container.as_deref(),
            sequence: record.sequence,
        }
    }
}

#[cfg(test)]
#[path = "ocsf/tests.rs"]
mod tests;
