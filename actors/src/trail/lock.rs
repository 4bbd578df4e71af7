//! One process at a time writes a trail: two would fork its chain. The lock is on the directory itself, which works on a disk
//! that is read-only as well, and ends with the process.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// How long somebody else may take to end.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(50);

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[allow(dead_code)] Flock<File>);

impl Lock {
    /// Waits a little for whoever has it. Of the kind [`io::ErrorKind::WouldBlock`]: it is still held.
    pub(super) fn take(directory: &Path) -> io::Result<Lock> {
        let deadline = Instant::now() + PATIENCE;
        let mut file = File::open(directory)?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Lock(lock)),
                Err((back, Errno::EWOULDBLOCK)) if Instant::now() < deadline => file = back,
                Err((_, Errno::EWOULDBLOCK)) => {
                    let what = format!("{}: another process writes the audit trail", directory.display());
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, what));
                }
                Err((_, errno)) => return Err(errno.into()),
            }
            std::thread::sleep(AGAIN);
        }
    }
}
