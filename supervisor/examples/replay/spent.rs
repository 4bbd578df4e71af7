//! What this process has spent, from /proc.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

use crate::corpus::Made;

/// The thread that stands for the kernel's rings: it makes the events, too.
const RINGS: &str = "rings";

/// Processor time, without what making the events took.
pub(crate) struct Spent {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// Both together by the threads' names, of those that run still.
    pub(crate) threads: BTreeMap<String, Duration>,
    /// What making the events took, all of it in user space.
    pub(crate) made: Duration,
}

impl Spent {
    /// Since the process began.
    pub(crate) fn now(made: &Made) -> Result<Spent, String> {
        let told = |error: &dyn std::fmt::Display| format!("/proc/self/stat: {error}");
        let text = fs::read_to_string("/proc/self/stat").map_err(|error| told(&error))?;
        let second =
            sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u32::try_from(ticks).ok()).unwrap_or(100);
        // proc(5): fields 14 and 15, counted from the one behind the name in brackets, which is the third.
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
        let time = |at: usize| {
            let ticks = fields.get(at).and_then(|field| field.parse::<u32>().ok());
            ticks.map(|ticks| Duration::from_secs(1) * ticks / second).ok_or_else(|| told(&"unexpected content"))
        };
        let (made, mut threads) = (made.spent(), threads()?);
        if let Some(rings) = threads.get_mut(RINGS) {
            *rings = rings.saturating_sub(made);
        }
        Ok(Spent { user: time(11)?.saturating_sub(made), system: time(12)?, threads, made })
    }

    /// What was spent after `before`.
    pub(crate) fn since(self, before: &Spent) -> Spent {
        let earlier = |name: &String| before.threads.get(name).copied().unwrap_or_default();
        let threads = self.threads.into_iter().map(|(name, time)| {
            let more = time.saturating_sub(earlier(&name));
            (name, more)
        });
        Spent {
            user: self.user.saturating_sub(before.user),
            system: self.system - before.system,
            threads: threads.collect(),
            made: self.made - before.made,
        }
    }
}

fn threads() -> Result<BTreeMap<String, Duration>, String> {
    let told = |error: std::io::Error| format!("/proc/self/task: {error}");
    let mut found = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").map_err(told)? {
        let task = task.map_err(told)?.path();
        // One that has just ended is no more.
        let (Ok(name), Ok(spent)) = (fs::read_to_string(task.join("comm")), fs::read_to_string(task.join("schedstat")))
        else {
            continue;
        };
        let nanoseconds = spent.split_ascii_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0);
        *found.entry(name.trim().to_owned()).or_default() += Duration::from_nanos(nanoseconds);
    }
    Ok(found)
}

/// Memory in use now, in kB.
pub(crate) fn resident() -> Result<u64, String> {
    let text = fs::read_to_string("/proc/self/status").map_err(|error| format!("/proc/self/status: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|rest| rest.trim().strip_suffix(" kB")).and_then(|number| number.trim().parse().ok());
    number.ok_or_else(|| "/proc/self/status has no VmRSS".to_owned())
}
