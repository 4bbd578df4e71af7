//! What services are known to have done, for a simulation: the evidence of models, and the audit trail.

use policy::access::Access;
use policy::model::{Evidence, Model, Sighting};
use policy::simulate::{Aim, Deed};

use crate::clock;
use crate::record::{Kind, Record};

/// What a model has evidence of since a time (milliseconds since 1970, UTC). Of a grant it keeps what was touched first.
pub fn of_model<'a>(model: &'a Model, since: i64) -> Vec<Deed> {
    let grants = model.granted.iter().flat_map(|(name, accesses)| {
        let seen = move |(access, evidence): (&Access, &'a Evidence)| {
            let access = *access;
            evidence.hosts.values().map(move |seen| (access, vec![name.clone()], seen, seen.object.as_str()))
        };
        accesses.iter().flat_map(seen)
    });
    let programs = model.programs.iter().flat_map(|(path, evidence)| {
        evidence.hosts.values().map(|seen| (Access::Execute, Vec::new(), seen, path.as_str()))
    });
    grants
        .chain(programs)
        .filter(|(_, _, seen, _)| seen.last >= since)
        .map(|(access, capabilities, evidence, object)| Deed {
            service: model.service.clone(),
            access,
            capabilities,
            aim: if access == Access::Operate { Aim::Operation } else { Aim::Path(object.into()) },
            object: object.to_owned(),
            exe: evidence.exe.clone(),
            time: clock::rfc3339(earliest(evidence, since)).into(),
            count: evidence.count,
            at_start: evidence.starts > 0,
        })
        .collect()
}

/// The first time, if that is not too long ago, else the last.
fn earliest(evidence: &Sighting, since: i64) -> i64 {
    if evidence.first >= since { evidence.first } else { evidence.last }
}

/// What a record tells of a service's deed, refused or not; nothing where it tells something else.
pub fn of_record(record: &Record) -> Option<Deed> {
    let (access, aim) = match record.kind {
        Kind::Capability => {
            let access = record.access?;
            let path = record.path.as_ref().filter(|_| access != Access::Operate);
            (access, path.map_or(Aim::Operation, |path| Aim::Path(path.as_str().into())))
        }
        Kind::Outbound => {
            let to = record.destination.as_ref()?;
            (Access::Connect, Aim::Address(to.address.parse().ok()?, to.port))
        }
        _ => return None,
    };
    let (_, object) = record.message.rsplit_once(" by ").unwrap_or(("", record.message.as_str()));
    Some(Deed {
        service: record.service.as_deref()?.to_owned(),
        access,
        capabilities: record.capabilities.iter().map(ToString::to_string).collect(),
        aim,
        object: object.to_owned(),
        exe: record.exe.as_deref().unwrap_or_default().to_owned(),
        time: record.time.to_string(),
        count: record.count,
        at_start: false,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use policy::model::Seen;

    #[test]
    fn evidence_and_records_become_deeds() {
        let mut model = Model::new("web", 0);
        let (shell, by) = (("SHELL", Access::Execute), ("/usr/bin/python3", "/usr/bin/dash"));
        model.observe("a", shell, by, 1_000, Seen::Later);
        model.observe("a", shell, by, 9_000, Seen::Later);
        model.observe_program("a", "/usr/bin/dash", "/usr/bin/python3", 1_000);
        let all = of_model(&model, 0);
        assert_eq!((all.len(), all.first().map(|one| one.count)), (2, Some(2)));
        let late = of_model(&model, 5_000);
        assert_eq!(late.iter().map(|one| one.time.as_str()).collect::<Vec<_>>(), ["1970-01-01T00:00:09.000Z"]);
        let message = "Service web attempted to obtain capability SSH by writing /etc/ssh/x".to_owned();
        let record = Record {
            service: Some("web".into()),
            access: Some(Access::Write),
            path: Some("/etc/ssh/x".into()),
            ..Record::plain(Kind::Capability, message)
        };
        let deed = of_record(&record).unwrap();
        assert_eq!((deed.object.as_str(), deed.aim), ("writing /etc/ssh/x", Aim::Path("/etc/ssh/x".into())));
        assert!(of_record(&Record::plain(Kind::Lifecycle, "by".to_owned())).is_none());
    }
}
