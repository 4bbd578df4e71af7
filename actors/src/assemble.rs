//! From policy files and models to a compiled revision for this host.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use policy::baseline;
use policy::capability::{Bits, Grants};
use policy::check;
use policy::compile::{Input, ServiceModel, compile};
use policy::compiled::Compiled;
use policy::host::HostFacts;
use policy::model::{Model, State};
use policy::place::Problem;
use policy::rule::Policy;
use policy::selftest;
use policy::syntax;

use crate::revision_store::PolicyFile;

/// Bartizan's own trees and files: no labelled service may write them (design section 8).
const OWN: [&str; 16] = [
    "/etc/bartizan",
    "/var/lib/bartizan",
    "/run/bartizan",
    "/sys/fs/bpf/bartizan",
    "/usr/bin/bartizan",
    "/usr/bin/bartizand",
    "/usr/lib/systemd/system/bartizand.service",
    "/usr/lib/systemd/system/bartizan-early.service",
    // The kernel kills and freezes all tasks of a cgroup on behalf of who writes there, without asking about a signal.
    "/sys/fs/cgroup/system.slice/bartizand.service",
    "/sys/fs/cgroup/system.slice/cgroup.kill",
    "/sys/fs/cgroup/system.slice/cgroup.freeze",
    "/sys/fs/cgroup/unified/system.slice/bartizand.service",
    "/sys/fs/cgroup/unified/system.slice/cgroup.kill",
    "/sys/fs/cgroup/unified/system.slice/cgroup.freeze",
    "/etc/systemd/system/multi-user.target.wants/bartizand.service",
    "/etc/systemd/system/sysinit.target.wants/bartizan-early.service",
];

/// Where systemd looks for units beside /usr/lib, as `systemctl show -p UnitPath` lists it (252 and 257).
pub(crate) const UNIT_DIRECTORIES: [&str; 11] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/run/systemd/generator.late",
];

/// What would replace, mask or change our units in such a directory: a file of their name, or a directory of changes to
/// them, to all units that are called like them as far as a dash, or to all services.
const UNITS: [&str; 6] = [
    "bartizand.service",
    "bartizand.service.d",
    "bartizan-early.service",
    "bartizan-early.service.d",
    "bartizan-.service.d",
    "service.d",
];

/// All of it.
fn own() -> Vec<PathBuf> {
    let units = UNIT_DIRECTORIES.iter().flat_map(|directory| UNITS.map(|name| Path::new(directory).join(name)));
    OWN.iter().chain(&PACKAGE).map(PathBuf::from).chain(units).collect()
}

/// Scripts of the Debian package, which dpkg runs as root and without a question.
const PACKAGE: [&str; 4] = [
    "/var/lib/dpkg/info/bartizan.preinst",
    "/var/lib/dpkg/info/bartizan.postinst",
    "/var/lib/dpkg/info/bartizan.prerm",
    "/var/lib/dpkg/info/bartizan.postrm",
];

/// Reads and checks policy files as one policy. `kept`: the bits of operators' capabilities so far.
pub fn policy(files: &[PolicyFile], kept: &Bits) -> Result<Policy, Vec<Problem>> {
    let policy = syntax::parse_all(files.iter().map(|file| (file.path.as_str(), file.text.as_str())), kept)?;
    let problems = check::check(&policy);
    if problems.is_empty() { Ok(policy) } else { Err(problems) }
}

/// What the compiler needs of a model: its grants and those of its baseline.
pub fn service_model(model: &Model) -> ServiceModel {
    let (mut granted, mut at_start) = (model.grants(), Grants::new());
    if matches!(model.state, State::Learning | State::Manual) {
        // The kernel has to tell when it is needed in another start, or at any other time.
        (granted, at_start) = (without(granted, &model.in_starts()), model.at_start());
    } else if model.progress.outlived() && !baseline::opens_sessions(&model.service) {
        // Without such a run nothing tells starts from the rest. Who lets people in may be needed soon after a start or long after.
        (granted, at_start) = (without(granted, &model.at_start()), model.at_start());
    }
    add(&mut granted, baseline::grants(&model.service));
    add(&mut at_start, baseline::at_start(&model.service));
    let at_start = without(at_start, &granted);
    // An archived service that was active is held to its model from its first act, should its unit come back.
    let stays = model.state == State::Archived && model.returns_to == Some(State::Active);
    let state = if stays { State::Active } else { model.state };
    ServiceModel { name: model.service.clone(), state, granted, at_start }
}

fn add(grants: &mut Grants, more: Grants) {
    for (capability, accesses) in more {
        grants.entry(capability).or_default().extend(accesses);
    }
}

fn without(mut grants: Grants, less: &Grants) -> Grants {
    for (capability, accesses) in less {
        if let Some(all) = grants.get_mut(capability) {
            all.retain(|access| !accesses.contains(access));
        }
    }
    grants.retain(|_, accesses| !accesses.is_empty());
    grants
}

/// Services up to which archived ones are in the kernel: the rest of its room is for those that come and those that only
/// rules name.
const WITH_ARCHIVED: usize = 768;

/// What the compiler needs of all models. Archived ones that were active are among them as long as there is room; those
/// that learned need no place in the kernel, where what is not known learns.
pub fn service_models(models: &[Model]) -> BTreeMap<String, ServiceModel> {
    let (archived, there): (Vec<&Model>, Vec<&Model>) = models.iter().partition(|model| model.state == State::Archived);
    let room = WITH_ARCHIVED.saturating_sub(there.len());
    let archived = archived.into_iter().map(service_model).filter(|model| model.state != State::Archived).take(room);
    there.into_iter().map(service_model).chain(archived).map(|model| (model.name.clone(), model)).collect()
}

/// Names of the services that may change Bartizan itself (`operators` of the configuration), without `.service`.
pub type Operators = BTreeSet<String>;

/// Compiles a revision: the operator's rules that hold here and now (milliseconds since 1970, UTC), and what is part of
/// every one.
pub fn revision(
    policy: &Policy,
    services: &BTreeMap<String, ServiceModel>,
    operators: &Operators,
    host: &dyn HostFacts,
    now: i64,
) -> Result<Compiled, String> {
    let own = own();
    let mut policy = policy.holding(&host.name(), now);
    policy.rules.push(selftest::rule());
    // The kernel must know an operator before it has run for the first time.
    let unseen = operators.iter().filter(|name| !services.contains_key(*name)).map(|name| ServiceModel {
        name: name.clone(),
        state: State::Learning,
        granted: baseline::grants(name),
        at_start: Grants::new(),
    });
    let services: Vec<ServiceModel> = services.values().cloned().chain(unseen).chain([selftest::model()]).collect();
    let input = Input { policy: &policy, services: &services, own: &own };
    let mut compiled = compile(&input, host).map_err(|error| error.to_string())?;
    for (name, service) in &mut compiled.services {
        service.operator = operators.contains(name);
    }
    Ok(compiled)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use policy::access::Access;
    use policy::host::BareHost;
    use policy::maturity::{Graduation, Moment, Unit};
    use policy::model::Seen;
    use std::time::Duration;

    #[test]
    fn archived_services_that_were_active_stay_in_the_kernel_while_they_fit() {
        let model = |name: &str, state, returns_to| Model { state, returns_to, ..Model::new(name, 0) };
        let models = [
            model("web", State::Active, None),
            model("old", State::Archived, Some(State::Active)),
            model("pupil", State::Archived, Some(State::Learning)),
        ];
        let states = |models: &[Model]| -> BTreeMap<String, State> {
            service_models(models).into_iter().map(|(name, model)| (name, model.state)).collect()
        };
        let expected = [("old", State::Active), ("web", State::Active)];
        assert_eq!(states(&models), expected.map(|(name, state)| (name.to_owned(), state)).into());
        let many = |state, returns_to, number| -> Vec<Model> {
            (0..number).map(|one| model(&format!("{one}"), state, returns_to)).collect()
        };
        let mut archived = many(State::Archived, Some(State::Active), WITH_ARCHIVED);
        archived.push(model("web", State::Active, None));
        let held = states(&archived);
        assert!(held.len() == WITH_ARCHIVED && held.contains_key("web"), "{} are held", held.len());
        let mut there = many(State::Active, None, WITH_ARCHIVED);
        there.push(model("old", State::Archived, Some(State::Active)));
        assert!(!states(&there).contains_key("old"), "there is no room");
    }

    #[test]
    fn what_only_starts_needed_is_granted_in_starts_only_once_a_run_outlived_its_start() {
        let (shell, by) = (("SHELL", Access::Execute), ("/usr/sbin/x", "/usr/bin/dash"));
        let split = |name: &str, state, outlived: bool| {
            let mut model = Model { state, ..Model::new(name, 0) };
            model.observe("h", shell, by, 1, Seen::InStart(50));
            model.observe("h", shell, by, 100, Seen::InStart(50));
            model.observe("h", ("NET", Access::Execute), by, 1, Seen::Later);
            let unit = Unit { name: "x.service".to_owned(), loaded: true, stops_whole: true, ..Unit::default() };
            let unit = Unit { invocation: Some("one".to_owned()), up: Some(Duration::from_secs(90)), ..unit };
            let second = Duration::from_secs(1);
            let terms = Graduation {
                learning: second,
                quiet: second,
                steady: second,
                start: second * 90,
                phases: BTreeSet::new(),
            };
            if outlived {
                model.progress.look(&[unit], false, &terms, &Moment::default());
            }
            let model = service_model(&model);
            let has = |grants: &Grants| grants.get("SHELL").is_some_and(|accesses| accesses.contains(&Access::Execute));
            assert!(model.granted.contains_key("NET"));
            (has(&model.granted), has(&model.at_start))
        };
        assert_eq!(split("web", State::Learning, false), (false, true), "the kernel tells when it is needed later");
        assert_eq!(split("web", State::Active, false), (true, false), "no run was longer than a start");
        assert_eq!(split("web", State::Active, true), (false, true));
        assert_eq!(split("ssh", State::Active, true), (true, false), "it lets people in");
    }

    #[test]
    fn an_operator_is_known_before_it_has_run_and_nobody_else_is_one() {
        let operators = Operators::from(["apt-daily-upgrade".to_owned()]);
        let compiled = revision(&Policy::default(), &BTreeMap::new(), &operators, &BareHost, 0).unwrap();
        let named: Vec<&str> =
            compiled.services.iter().filter(|(_, one)| one.operator).map(|(name, _)| name.as_str()).collect();
        assert_eq!(named, ["apt-daily-upgrade"]);
        assert!(!compiled.services["apt-daily-upgrade"].subject.granted.is_empty(), "it has its baseline");
    }
}
