//! From policy files and models to a compiled revision for this host.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use policy::baseline;
use policy::capability::Catalogue;
use policy::check;
use policy::compile::{Input, ServiceModel, compile};
use policy::compiled::Compiled;
use policy::host::HostFacts;
use policy::model::{Model, State};
use policy::place::Problem;
use policy::rule::Rule;
use policy::selftest;
use policy::syntax;

use crate::revision_store::PolicyFile;

/// Bartizan's own trees and files: no labelled service may write them (design section 8).
pub const OWN: [&str; 29] = [
    "/etc/bartizan",
    "/var/lib/bartizan",
    "/run/bartizan",
    "/sys/fs/bpf/bartizan",
    "/usr/bin/bartizan",
    "/usr/bin/bartizand",
    "/usr/lib/systemd/system/bartizand.service",
    "/usr/lib/systemd/system/bartizan-early.service",
    // What would replace, mask or change the units.
    "/etc/systemd/system/bartizand.service",
    "/etc/systemd/system/bartizand.service.d",
    "/etc/systemd/system/bartizan-early.service",
    "/etc/systemd/system/bartizan-early.service.d",
    "/etc/systemd/system/multi-user.target.wants/bartizand.service",
    "/etc/systemd/system/sysinit.target.wants/bartizan-early.service",
    "/run/systemd/system/bartizand.service",
    "/run/systemd/system/bartizand.service.d",
    "/run/systemd/system/bartizan-early.service",
    "/run/systemd/system/bartizan-early.service.d",
    "/run/systemd/system.control/bartizand.service.d",
    "/etc/systemd/system.control/bartizand.service.d",
    "/run/systemd/transient/bartizand.service",
    "/usr/local/lib/systemd/system/bartizand.service",
    "/usr/local/lib/systemd/system/bartizand.service.d",
    // The kernel kills and freezes all tasks of a cgroup on behalf of who writes there, without asking about a signal.
    "/sys/fs/cgroup/system.slice/bartizand.service",
    "/sys/fs/cgroup/system.slice/cgroup.kill",
    "/sys/fs/cgroup/system.slice/cgroup.freeze",
    "/sys/fs/cgroup/unified/system.slice/bartizand.service",
    "/sys/fs/cgroup/unified/system.slice/cgroup.kill",
    "/sys/fs/cgroup/unified/system.slice/cgroup.freeze",
];

/// Scripts of the Debian package, which dpkg runs as root and without a question.
const PACKAGE: [&str; 4] = [
    "/var/lib/dpkg/info/bartizan.preinst",
    "/var/lib/dpkg/info/bartizan.postinst",
    "/var/lib/dpkg/info/bartizan.prerm",
    "/var/lib/dpkg/info/bartizan.postrm",
];

/// Reads and checks policy files as one policy.
pub fn rules(files: &[PolicyFile]) -> Result<Vec<Rule>, Vec<Problem>> {
    let rules = syntax::parse_all(files.iter().map(|file| (file.path.as_str(), file.text.as_str())))?;
    let problems = check::check(&rules);
    if problems.is_empty() { Ok(rules) } else { Err(problems) }
}

/// What the compiler needs of a model: its grants and those of its baseline.
pub fn service_model(model: &Model) -> ServiceModel {
    let granted = model.masks(Catalogue::builtin()).union(baseline::grants(&model.service));
    ServiceModel { name: model.service.clone(), state: model.state, granted }
}

/// Names of the services that may change Bartizan itself (`operators` of the configuration), without `.service`.
pub type Operators = BTreeSet<String>;

/// Compiles a revision: the operator's rules, and what is part of every one.
pub fn revision(
    rules: &[Rule],
    services: &BTreeMap<String, ServiceModel>,
    operators: &Operators,
    host: &dyn HostFacts,
) -> Result<Compiled, String> {
    let own: Vec<PathBuf> = OWN.iter().chain(&PACKAGE).map(PathBuf::from).collect();
    let rules: Vec<Rule> = rules.iter().cloned().chain([selftest::rule()]).collect();
    // The kernel must know an operator before it has run for the first time.
    let unseen = operators.iter().filter(|name| !services.contains_key(*name)).map(|name| ServiceModel {
        name: name.clone(),
        state: State::Learning,
        granted: baseline::grants(name),
    });
    let services: Vec<ServiceModel> = services.values().cloned().chain(unseen).chain([selftest::model()]).collect();
    let input = Input { rules: &rules, services: &services, own: &own };
    let mut compiled = compile(Catalogue::builtin(), &input, host).map_err(|error| error.to_string())?;
    for (name, service) in &mut compiled.services {
        service.operator = operators.contains(name);
    }
    Ok(compiled)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use policy::host::BareHost;

    #[test]
    fn an_operator_is_known_before_it_has_run_and_nobody_else_is_one() {
        let operators = Operators::from(["apt-daily-upgrade".to_owned()]);
        let compiled = revision(&[], &BTreeMap::new(), &operators, &BareHost).unwrap();
        let named: Vec<&str> =
            compiled.services.iter().filter(|(_, one)| one.operator).map(|(name, _)| name.as_str()).collect();
        assert_eq!(named, ["apt-daily-upgrade"]);
        assert!(!compiled.services["apt-daily-upgrade"].subject.granted.is_empty(), "it has its baseline");
    }
}
