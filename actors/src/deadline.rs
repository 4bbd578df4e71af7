//! An end that comes even if the daemon is down, the wall clock is set or the host starts anew.

use std::sync::LazyLock;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A moment of this boot. After the next one it has passed: a host that had to be started anew may be one that somebody
/// locked himself out of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// Identity of the boot.
    boot: String,
    /// Milliseconds since it, suspension included.
    at: u64,
}

impl Deadline {
    /// A deadline after this time.
    pub fn after(time: Duration) -> Deadline {
        let later = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Deadline { boot: boot(), at: since_boot().saturating_add(later) }
    }

    /// What is left of the time; nothing once the deadline has passed.
    pub fn left(&self) -> Option<Duration> {
        let left = self.at.checked_sub(since_boot()).filter(|left| *left > 0 && self.boot == boot());
        left.map(Duration::from_millis)
    }
}

/// Read once: it outlives the daemon, and a hundred learners ask for it every few seconds.
static BOOT: LazyLock<String> =
    LazyLock::new(|| std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned());

/// Identity of the running boot (proc_sys_kernel(5), `random/boot_id`).
pub(crate) fn boot() -> String {
    BOOT.clone()
}

/// Milliseconds since the boot, suspension included.
pub(crate) fn since_boot() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes_by_time_and_with_the_boot() {
        let long = Deadline::after(Duration::from_secs(60));
        assert!(long.left().is_some_and(|left| left > Duration::from_secs(50) && left <= Duration::from_secs(60)));
        assert_eq!(Deadline::after(Duration::ZERO).left(), None);
        assert_eq!(Deadline { boot: "another".to_owned(), ..long }.left(), None);
    }
}
