//! From an event's fields about the process to [`Acting`].

use std::time::{Duration, SystemTime};

use compact_str::CompactString;
use nix::time::{ClockId, clock_gettime};

use crate::event::{Acting, Ancestor, Command, Inode};
use crate::skeleton::bartizan::types;

/// Bit of `bz_event.marks` (`BZ_MARK_COMMAND_CUT` in wire.h).
const COMMAND_CUT: u8 = 1 << 5;
/// What the kernel has for "nobody has logged in" (AUDIT_UID_UNSET, AUDIT_SID_UNSET).
const UNSET: u32 = u32::MAX;
/// A device number as the kernel keeps it: the minor number is below these bits (MINORBITS).
const MINOR_BITS: u32 = 20;
/// How much later than the clock was looked at a record may be that was read with it.
const LATER: Duration = Duration::from_secs(1);

/// Turns the kernel's times since boot, suspend included, into times of day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    now: SystemTime,
    since_boot: Option<Duration>,
}

impl WallClock {
    pub(crate) fn now() -> WallClock {
        let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME).ok().map(Duration::from);
        WallClock { now: SystemTime::now(), since_boot }
    }

    pub(crate) fn at(&self, boot_ns: u64) -> SystemTime {
        let Some(since_boot) = self.since_boot else { return self.now };
        let then = Duration::from_nanos(boot_ns);
        // What came while others were read is a little later; nothing is of the future.
        let time = match then.checked_sub(since_boot) {
            Some(later) => self.now.checked_add(later.min(LATER)),
            None => self.now.checked_sub(since_boot - then),
        };
        time.unwrap_or(self.now)
    }
}

/// What the event of a build that knows of it tells.
pub(crate) fn acting(event: &types::bz_event, clock: &WallClock) -> Acting {
    let ancestors = event.ancestors.iter().take(usize::try_from(event.ancestors_len).unwrap_or(0));
    let command = first(&event.command, event.command_len);
    Acting {
        start: (event.start != 0).then(|| clock.at(event.start)),
        login_uid: (event.login_uid != UNSET).then_some(event.login_uid),
        session: (event.session != UNSET).then_some(event.session),
        command: Command { bytes: command.to_vec(), cut: event.marks & COMMAND_CUT != 0 },
        ancestors: ancestors
            .map(|one| Ancestor { pid: one.pid, comm: text(&one.comm), start: clock.at(one.start) })
            .collect(),
        cgroup: first(&event.cgroup, event.cgroup_len)
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(text)
            .collect(),
    }
}

/// The file behind an event's object.
pub(crate) fn inode(event: &types::bz_event) -> Option<Inode> {
    let dev = u32::try_from(event.dev).ok().filter(|dev| *dev != 0)?;
    let (major, minor) = (dev >> MINOR_BITS, dev & ((1 << MINOR_BITS) - 1));
    Some(Inode { major, minor, number: (event.ino != 0).then_some(event.ino) })
}

fn first(bytes: &[u8], len: u16) -> &[u8] {
    bytes.get(..usize::from(len)).unwrap_or(bytes)
}

fn text(bytes: &[u8]) -> CompactString {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    CompactString::from_utf8_lossy(bytes.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(to: &mut [u8], bytes: &[u8]) -> u16 {
        to.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        u16::try_from(bytes.len()).unwrap_or(0)
    }

    #[test]
    fn what_the_kernel_tells_of_a_process_is_read() {
        let clock = WallClock::now();
        let mut event =
            types::bz_event { login_uid: UNSET, session: 7, start: 5, ancestors_len: 1, ..Default::default() };
        event.command_len = put(&mut event.command, b"sh\0-c\0true\0");
        event.cgroup_len = put(&mut event.cgroup, b"web.service\0system.slice\0");
        event.marks = COMMAND_CUT;
        if let Some(one) = event.ancestors.first_mut() {
            (one.pid, one.start) = (9, 3);
            put(&mut one.comm, b"web\0left over");
        }
        let found = acting(&event, &clock);
        assert_eq!((found.login_uid, found.session, found.start), (None, Some(7), Some(clock.at(5))));
        assert_eq!(found.command, Command { bytes: b"sh\0-c\0true\0".to_vec(), cut: true });
        assert_eq!(found.ancestors, [Ancestor { pid: 9, comm: "web".into(), start: clock.at(3) }]);
        assert_eq!(found.cgroup, ["web.service", "system.slice"]);
        assert!(!format!("{found:?}").contains("true"), "arguments are shown to nobody by accident");
    }

    #[test]
    fn a_device_is_two_numbers() {
        let event = types::bz_event { dev: 8 << 20 | 17, ino: 12, ..Default::default() };
        assert_eq!(inode(&event), Some(Inode { major: 8, minor: 17, number: Some(12) }));
        assert_eq!(inode(&types::bz_event::default()), None);
    }

    #[test]
    fn lengths_that_no_kernel_gives_do_no_harm() {
        let event = types::bz_event {
            command_len: u16::MAX,
            cgroup_len: u16::MAX,
            ancestors_len: u32::MAX,
            ..Default::default()
        };
        let found = acting(&event, &WallClock::now());
        assert_eq!((found.command.bytes.len(), found.cgroup.len(), found.ancestors.len()), (512, 0, 8));
    }
}
