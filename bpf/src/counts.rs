//! What the kernel counts instead of telling it.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use libbpf_rs::MapCore as _;
use policy::access::Access;
use policy::decide::Verdict;

use crate::calls::Calls;
use crate::event::{Flood, Repeat};
use crate::kernel::{Decided, KernelError};
use crate::quiescence::wait_for_hooks;
use crate::skeleton::bartizan::types;
use crate::tables::Tables;
use crate::wire::{bytes, value};

/// Time without a repeat after which a kind of act is counted for the last time.
const QUIET: Duration = Duration::from_secs(10 * 60);
/// Names of the loss counters, in the order of `enum bz_loss`.
const LOSSES: [&str; 11] = [
    "violations",
    "observations",
    "floods",
    "services",
    "cgroups",
    "subjects",
    "labels",
    "links",
    "unlabelled_tasks",
    "unresolved_objects",
    "written_files",
];

/// `enum bz_hook` of verdicts.bpf.h.
const HOOKS: [&str; 46] = [
    "bprm_check_security",
    "bprm_creds_from_file",
    "mmap_file",
    "file_mprotect",
    "file_open",
    "file_receive",
    "file_ioctl",
    "file_ioctl_compat",
    "inode_mkdir",
    "inode_symlink",
    "inode_unlink",
    "inode_rmdir",
    "inode_create",
    "inode_mknod",
    "inode_link",
    "inode_rename",
    "inode_setattr",
    "inode_setxattr",
    "inode_removexattr",
    "inode_set_acl",
    "inode_remove_acl",
    "inode_file_setattr",
    "socket_connect",
    "unix_stream_connect",
    "sb_mount",
    "sb_set_mnt_opts",
    "move_mount",
    "sb_umount",
    "sb_remount",
    "sb_pivotroot",
    "path_chroot",
    "userns_create",
    "ptrace_access_check",
    "task_kill",
    "file_send_sigiotask",
    "task_setrlimit",
    "task_setscheduler",
    "task_setnice",
    "kernel_module_request",
    "kernel_read_file",
    "kernel_load_data",
    "bpf",
    "bpf_map",
    "bpf_prog",
    "syslog",
    "capable",
];

/// Kinds of acts by the kernel's key.
type Kinds = Vec<(u64, types::bz_seen)>;

/// So often a table is walked although the kernel says that nothing was counted: kinds that were quiet for long are taken out.
const ANYWAY: Duration = Duration::from_secs(60);

/// What a table held when it was walked last. Walking a hash table takes as long when it is empty, and mostly nothing has changed.
#[derive(Debug)]
pub(crate) struct Walked<T> {
    held: Vec<T>,
    /// What the kernel's count of all counts was before, and when that was.
    at: Option<(u64, Instant)>,
}

impl<T> Default for Walked<T> {
    fn default() -> Walked<T> {
        Walked { held: Vec::new(), at: None }
    }
}

impl<T: Clone> Walked<T> {
    /// What the table holds, for which `walk` is asked when it may be something else.
    pub(crate) fn read(
        &mut self,
        tables: &Tables,
        walk: impl FnOnce() -> Result<Vec<T>, KernelError>,
    ) -> Result<Vec<T>, KernelError> {
        // Asked before: what is counted meanwhile makes another walk. Programs of an earlier build do not tell; while another set
        // of programs follows, what it counts in the same tables is seen by the walk that comes anyway.
        let now = tables.control().ok().map(|control| control.recounted);
        let same = self.at.is_some_and(|(then, at)| now == Some(then) && at.elapsed() < ANYWAY);
        if !same {
            self.at = None;
            self.held = walk()?;
            self.at = now.map(|now| (now, Instant::now()));
        }
        Ok(self.held.clone())
    }
}

/// How often each kind of act had been repeated, and since when it has been that often.
#[derive(Debug, Default)]
pub(crate) struct Repeated(HashMap<u64, (u64, Instant)>);

impl Repeated {
    /// Every kind that is counted, and for the last time those that were quiet for long.
    pub(crate) fn read(&mut self, tables: &Tables, calls: &Calls) -> Result<Vec<Repeat>, KernelError> {
        let seen: Vec<(u64, types::bz_seen)> = tables.all("seen")?;
        let now = Instant::now();
        let since = |(key, seen): &(u64, types::bz_seen)| {
            let same = self.0.get(key).filter(|(count, _)| *count == seen.count);
            (*key, *same.unwrap_or(&(seen.count, now)))
        };
        self.0 = seen.iter().map(since).collect();
        let is_quiet = |key: &u64| self.0.get(key).is_some_and(|(_, since)| now.duration_since(*since) > QUIET);
        let (quiet, lively): (Vec<_>, Vec<_>) = seen.into_iter().partition(|(key, _)| is_quiet(key));
        let last = count_for_the_last_time(&quiet, tables, calls)?;
        let counts = lively.into_iter().chain(last).filter(|(_, seen)| seen.count > 0);
        Ok(counts.map(|(key, seen)| Repeat { key, count: seen.count }).collect())
    }
}

/// Takes kinds of acts out, and has their final counts.
fn count_for_the_last_time(quiet: &Kinds, tables: &Tables, calls: &Calls) -> Result<Kinds, KernelError> {
    for (key, _) in quiet {
        calls.retire(*key)?;
    }
    if !quiet.is_empty() {
        wait_for_hooks();
    }
    let handle = tables.get("seen")?;
    let take = |(key, before): &(u64, types::bz_seen)| {
        let taken = handle
            .lookup_and_delete(&bytes(key))
            .map_err(|error| KernelError::bpf("counting repeats for the last time".to_owned(), error))?;
        Ok((*key, taken.and_then(|bytes| value(&bytes)).unwrap_or(*before)))
    };
    quiet.iter().map(take).collect()
}

/// Floods since the programs were loaded.
pub(crate) fn floods(tables: &Tables) -> Result<Vec<Flood>, KernelError> {
    let floods: Vec<(types::bz_flood_key, u64)> = tables.all("floods")?;
    if floods.is_empty() {
        return Ok(Vec::new());
    }
    let names: BTreeMap<u32, String> = tables.numbers()?.into_iter().map(|(name, number)| (number, name)).collect();
    Ok(floods
        .into_iter()
        .filter_map(|(key, count)| {
            Some(Flood {
                service: names.get(&key.service)?.clone(),
                access: Access::from_number(key.access)?,
                capability: u8::try_from(key.capability).ok(),
                verdict: match key.verdict {
                    0 => Verdict::Allow,
                    1 => Verdict::Audit,
                    _ => Verdict::Deny,
                },
                count,
            })
        })
        .collect())
}

/// What could not be delivered, per kind, since the programs were loaded.
pub(crate) fn losses(tables: &Tables) -> Result<impl Iterator<Item = (String, u64)>, KernelError> {
    let counts = named(tables, "losses", &LOSSES)?;
    Ok(counts.map(|(name, count)| (name.to_owned(), count)))
}

/// What each hook decided since the programs were loaded.
pub(crate) fn decided(tables: &Tables) -> Result<BTreeMap<&'static str, Decided>, KernelError> {
    let counts: BTreeMap<u32, u64> = tables.all("verdicts")?.into_iter().collect();
    let count = |index: u32| counts.get(&index).copied().unwrap_or(0);
    let hooks = u32::try_from(HOOKS.len()).unwrap_or(u32::MAX);
    let of = |index| Decided { refused: count(index), audited: count(index + hooks) };
    Ok((0..hooks).zip(HOOKS).map(|(index, name)| (name, of(index))).collect())
}

/// The counts of an array, with the names of its indices.
fn named(
    tables: &Tables,
    map: &str,
    names: &'static [&'static str],
) -> Result<impl Iterator<Item = (&'static str, u64)>, KernelError> {
    let counts: BTreeMap<u32, u64> = tables.all(map)?.into_iter().collect();
    Ok((0..).zip(names).map(move |(number, name)| (*name, counts.get(&number).copied().unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_programs() {
        let header = include_str!("../kern/verdicts.bpf.h");
        let named: Vec<&str> =
            header.lines().filter_map(|line| line.trim().strip_prefix("BZ_HOOK_")?.strip_suffix(',')).collect();
        assert_eq!(named, HOOKS);
    }
}
