//! Records of the daemon's own that wait for room on the disk. Acts wait in the kernel's ring, and counts are told again.

use super::AuditLog;
use crate::record::{Kind, Record};
use crate::trail::New;

/// Records that may wait; what comes then is counted.
const MOST: usize = 1_000;

/// What waits, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    records: Vec<New>,
    /// Records that found no place.
    dropped: u64,
    /// The failure was told.
    told: bool,
}

impl Unwritten {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// A kind of acts that waits already comes once: its later counts are told when it is written.
    pub(super) fn push(&mut self, new: New) {
        if new.key.is_some() && self.records.iter().any(|waiting| waiting.key == new.key) {
            return;
        }
        if self.records.len() < MOST { self.records.push(new) } else { self.dropped += 1 }
    }
}

impl AuditLog {
    /// Writes what waits, if that can be done now.
    pub(super) fn write_own(&mut self) {
        if self.unwritten.records.is_empty() {
            return;
        }
        match self.trail.append_all(&mut self.unwritten.records) {
            Ok(written) => {
                self.unwritten.told = false;
                self.deliver(written, false);
                let count = std::mem::take(&mut self.unwritten.dropped);
                if count > 0 {
                    let message =
                        "Records about Bartizan itself found no place while the audit trail could not be written";
                    self.append(Record { count, ..Record::plain(Kind::Loss, message.to_owned()) }, None, 0);
                }
            }
            Err(error) if !std::mem::replace(&mut self.unwritten.told, true) => {
                tracing::error!("{}: audit records have to wait: {error}", self.directory.display());
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::ops::ControlFlow;
    use std::path::Path;

    use actix::prelude::*;

    use super::*;
    use crate::audit_log::AuditSettings;
    use crate::directory::Directory;
    use crate::root::{ExitNotice, Root};
    use crate::trail;

    fn messages(directory: &Path) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        trail::walk(directory, 0, &mut |record| {
            found.push((record.message.to_string(), record.count));
            ControlFlow::Continue(())
        })
        .unwrap();
        found
    }

    #[actix::test]
    async fn on_a_full_disk_records_wait_and_what_finds_no_place_is_counted() {
        let place = tempfile::tempdir().unwrap();
        let trail = place.path().join("audit");
        let notice = ExitNotice::new("audit log", Root::default().start());
        let settings = AuditSettings::default();
        let mut log =
            AuditLog::open(&trail, &settings, &place.path().join("rules"), 1, Directory::default(), notice).unwrap();
        log.trail.fill();
        let tell = |log: &mut AuditLog, message: &str, key: Option<&str>| {
            log.append(Record::plain(Kind::Lifecycle, message.to_owned()), key.map(Into::into), 0);
        };
        tell(&mut log, "kind", Some("1-k"));
        tell(&mut log, "kind", Some("1-k"));
        (0..MOST + 4).for_each(|number| tell(&mut log, &number.to_string(), None));
        assert_eq!((log.unwritten.len(), messages(&trail)), (MOST, vec![]));
        log.trail.relieve();
        log.write_own();
        let found = messages(&trail);
        assert_eq!((log.unwritten.len(), found.len()), (0, MOST + 1));
        assert_eq!((found[0].0.as_str(), found[1].0.as_str(), found[MOST - 1].0.as_str()), ("kind", "0", "998"));
        assert!(found[MOST].0.contains("found no place") && found[MOST].1 == 5, "{:?}", found[MOST]);
    }
}
