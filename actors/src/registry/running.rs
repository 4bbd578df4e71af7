//! Programs of services that ran before Bartizan did: nobody saw them start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The programs that run now, by service, as /proc shows them. What cannot be read has ended, or is the kernel's own.
pub(super) fn programs(proc: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for entry in fs::read_dir(proc).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().bytes().all(|letter| letter.is_ascii_digit()) {
            continue;
        }
        let service = fs::read_to_string(entry.path().join("cgroup")).ok().and_then(|text| service(&text));
        if let (Some(service), Ok(program)) = (service, fs::read_link(entry.path().join("exe"))) {
            let program = program.to_string_lossy();
            // proc(5): a program that was replaced has this behind its name.
            let program = program.strip_suffix(" (deleted)").unwrap_or(&program).to_owned();
            found.entry(service).or_default().insert(program);
        }
    }
    found
}

/// The service of a process by its line of the version 2 hierarchy: the topmost unit, as kern/unit.bpf.h has it.
fn service(cgroup: &str) -> Option<String> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    let unit = path.split('/').find_map(|part| part.strip_suffix(".service"))?;
    Some(unit.split_inclusive('@').next().unwrap_or(unit).to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn programs_are_found_by_the_unit_above_them() {
        let proc = tempfile::tempdir().unwrap();
        let processes = [
            ("1", "0::/init.scope\n", "/usr/lib/systemd/systemd"),
            ("7", "1:cpu:/\n0::/system.slice/nginx.service\n", "/usr/sbin/nginx (deleted)"),
            ("8", "0::/system.slice/system-getty.slice/getty@tty1.service/inner\n", "/usr/sbin/agetty"),
            ("9", "0::/user.slice/user-0.slice/session-1.scope\n", "/usr/bin/bash"),
            ("self", "0::/system.slice/nginx.service\n", "/usr/bin/cat"),
        ];
        for (name, cgroup, program) in processes {
            let directory = proc.path().join(name);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("cgroup"), cgroup).unwrap();
            symlink(program, directory.join("exe")).unwrap();
        }
        let one = |program: &str| BTreeSet::from([program.to_owned()]);
        let expected = [("getty@", "/usr/sbin/agetty"), ("nginx", "/usr/sbin/nginx")];
        let expected = expected.map(|(service, program)| (service.to_owned(), one(program)));
        assert_eq!(programs(proc.path()), expected.into());
    }
}
