//! Programs of services that ran before Bartizan did: nobody saw them start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use bpf::process::Process;

/// The programs that run now, by service. `service_of` has the kernel's label of a process: its cgroup may be one that a
/// service has made and given another one's name. What cannot be read or has no label teaches nothing: it has ended, or is the
/// kernel's own.
pub(super) async fn programs(
    proc: &Path,
    service_of: impl AsyncFn(Arc<Process>) -> Option<String>,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for entry in fs::read_dir(proc).into_iter().flatten().flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(process) = number.and_then(|number| Process::open(number).ok()).map(Arc::new) else { continue };
        let Ok(program) = fs::read_link(entry.path().join("exe")) else { continue };
        let Some(service) = service_of(Arc::clone(&process)).await else { continue };
        // What was read under its number is then another one's.
        if process.has_ended() {
            continue;
        }
        let program = program.to_string_lossy();
        // proc(5): a program that was replaced has this behind its name.
        let program = program.strip_suffix(" (deleted)").unwrap_or(&program).to_owned();
        found.entry(service).or_default().insert(program);
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn programs_are_those_of_the_service_that_the_kernel_says() {
        let proc = tempfile::tempdir().unwrap();
        let shown = |name: &str, program: &str| {
            let directory = proc.path().join(name);
            fs::create_dir(&directory).unwrap();
            // As it is for a process that a service has put into a cgroup of its own making.
            fs::write(directory.join("cgroup"), "0::/x/victim.service\n").unwrap();
            symlink(program, directory.join("exe")).unwrap();
        };
        let start = || Command::new("sleep").arg("600").spawn().unwrap();
        let (mut web, mut none, mut gone) = (start(), start(), start());
        gone.kill().unwrap();
        gone.wait().unwrap();
        shown(&web.id().to_string(), "/usr/sbin/web (deleted)");
        shown(&none.id().to_string(), "/usr/bin/bash");
        shown(&gone.id().to_string(), "/usr/bin/gone");
        shown("self", "/usr/bin/cat");
        let of = web.id();
        let label = async move |process: Arc<Process>| (process.pid() == of).then(|| "web".to_owned());
        let found = actix::System::new().block_on(programs(proc.path(), label));
        for child in [&mut web, &mut none] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let expected = BTreeSet::from(["/usr/sbin/web".to_owned()]);
        assert_eq!(found, BTreeMap::from([("web".to_owned(), expected)]));
    }
}
