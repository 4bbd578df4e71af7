//! Watches the host's mounts: labels start at mount points, so each change compiles the policy anew.

use std::fs::File;
use std::os::fd::AsFd as _;

use actors::directory::Directory;
use actors::messages::Recompile;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::runtime::{Builder, Runtime};

/// Starts the thread, for changes since `known` was read. It ends with the process.
pub fn watch(directory: Directory, known: String) -> std::io::Result<()> {
    // The kernel marks this file with POLLPRI whenever a mount of PID 1's namespace comes or goes.
    let mounts = File::open("/proc/1/mountinfo")?;
    let waiting = Builder::new_current_thread().build()?;
    std::thread::Builder::new().name("mounts".to_owned()).spawn(move || run(&mounts, &directory, &waiting, known))?;
    Ok(())
}

fn run(mounts: &File, directory: &Directory, waiting: &Runtime, mut known: String) {
    loop {
        recompile(directory, waiting, &mut known);
        let mut polled = [PollFd::new(mounts.as_fd(), PollFlags::POLLPRI)];
        if let Err(error) = poll(&mut polled, PollTimeout::NONE)
            && error != nix::errno::Errno::EINTR
        {
            tracing::error!("the host's mounts cannot be watched any more: {error}");
            return;
        }
    }
}

fn recompile(directory: &Directory, waiting: &Runtime, known: &mut String) {
    let now = actors::host::mountinfo();
    if now != *known
        && let Some(keeper) = directory.keeper()
    {
        // Waiting for the answer makes one compilation of all changes that come meanwhile.
        match waiting.block_on(keeper.send(Recompile)) {
            Ok(Ok(())) => *known = now,
            // Tried again at the next change; the keeper has told why.
            Ok(Err(_)) => {}
            Err(error) => tracing::error!("the policy was not compiled for the new mounts: {error}"),
        }
    }
}
