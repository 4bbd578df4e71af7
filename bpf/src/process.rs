//! A process, held by a descriptor: its number may belong to another one as soon as it has ended.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// `SO_PEERPIDFD` of <asm-generic/socket.h>, since 6.5.
const SO_PEERPIDFD: libc::c_int = 77;

/// A process.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    descriptor: OwnedFd,
}

impl Process {
    /// The process that connected the other end of this socket; `pid` is its number there. Before 6.5 the kernel gives no
    /// descriptor of it, so one is opened by number: do it at once when the connection comes.
    pub fn of_peer(socket: impl AsFd, pid: u32) -> io::Result<Process> {
        let mut raw: libc::c_int = -1;
        let mut len = size_of::<libc::c_int>() as libc::socklen_t;
        let socket = socket.as_fd().as_raw_fd();
        // SAFETY: the kernel writes at most `len` bytes to `raw`, which is that long.
        let asked =
            unsafe { libc::getsockopt(socket, libc::SOL_SOCKET, SO_PEERPIDFD, (&raw mut raw).cast(), &raw mut len) };
        if asked != 0 {
            return Process::open(pid);
        }
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just returned this descriptor, and nobody else knows it.
        Ok(Process { pid, descriptor: unsafe { OwnedFd::from_raw_fd(raw) } })
    }

    /// The process that has this number now.
    pub fn open(pid: u32) -> io::Result<Process> {
        // SAFETY: pidfd_open takes two integers and touches no memory of ours.
        let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as libc::c_int;
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just returned this descriptor, and nobody else knows it.
        Ok(Process { pid, descriptor: unsafe { OwnedFd::from_raw_fd(raw) } })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has ended, so that its number may mean another one.
    pub fn has_ended(&self) -> bool {
        let mut polled = [PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Its key in a map of task storage.
    pub(crate) fn key(&self) -> [u8; 4] {
        self.descriptor.as_raw_fd().to_ne_bytes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn an_end_is_seen() {
        let (here, _there) = UnixStream::pair().unwrap();
        assert!(!Process::of_peer(&here, std::process::id()).unwrap().has_ended(), "a pair's peer is this process");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let held = Process::open(child.id()).unwrap();
        child.wait().unwrap();
        assert!(held.has_ended());
        assert!(Process::open(child.id()).is_err());
    }
}
