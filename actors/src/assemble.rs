//! From policy files and models to a compiled revision for this host.

use std::collections::BTreeMap;
use std::path::PathBuf;

use policy::baseline;
use policy::capability::Catalogue;
use policy::check;
use policy::compile::{Input, ServiceModel, compile};
use policy::compiled::Compiled;
use policy::host::HostFacts;
use policy::model::Model;
use policy::place::Problem;
use policy::rule::Rule;
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

/// Compiles a revision.
pub fn revision(
    rules: &[Rule],
    services: &BTreeMap<String, ServiceModel>,
    host: &dyn HostFacts,
) -> Result<Compiled, String> {
    let own: Vec<PathBuf> = OWN.iter().map(PathBuf::from).collect();
    let services: Vec<ServiceModel> = services.values().cloned().collect();
    let input = Input { rules, services: &services, own: &own };
    compile(Catalogue::builtin(), &input, host).map_err(|error| error.to_string())
}
