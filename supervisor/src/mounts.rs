//! Watches the host's mounts: labels start at mount points, so each change compiles the policy anew.

use std::fs::File;
use std::os::fd::AsFd as _;

use actors::directory::Directory;
use actors::messages::Recompile;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Starts the thread. It ends with the process.
pub fn watch(directory: Directory) -> std::io::Result<()> {
    // The kernel marks this file with POLLPRI whenever a mount of PID 1's namespace comes or goes.
    let mounts = File::open("/proc/1/mountinfo")?;
    std::thread::Builder::new().name("mounts".to_owned()).spawn(move || run(&mounts, &directory))?;
    Ok(())
}

fn run(mounts: &File, directory: &Directory) {
    let mut known = actors::host::mountinfo();
    loop {
        let mut polled = [PollFd::new(mounts.as_fd(), PollFlags::POLLPRI)];
        if let Err(error) = poll(&mut polled, PollTimeout::NONE)
            && error != nix::errno::Errno::EINTR
        {
            tracing::error!("the host's mounts cannot be watched any more: {error}");
            return;
        }
        let now = actors::host::mountinfo();
        if now != known
            && let Some(keeper) = directory.keeper()
        {
            match keeper.try_send(Recompile) {
                Ok(()) => known = now,
                // Tried again at the next change at the latest; a full mailbox means that one is on its way.
                Err(error) => tracing::error!("the policy was not compiled for the new mounts: {error}"),
            }
        }
    }
}
