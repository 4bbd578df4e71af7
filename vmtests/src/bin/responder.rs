//! The least that a fanotify permission responder can do: it answers each opening on a mount, and denies one file to
//! everybody. `scripts/bench kernel --peers` measures it.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use nix::fcntl::AT_FDCWD;
use nix::sys::fanotify::{EventFFlags, Fanotify, FanotifyResponse, InitFlags, MarkFlags, MaskFlags, Response};
use nix::sys::stat::{fstat, stat};

/// Answers until it is ended.
#[derive(Parser)]
struct Arguments {
    /// A path on the mount that is watched.
    #[arg(long, default_value = "/")]
    mount: PathBuf,
    /// The file that nobody may open.
    #[arg(long)]
    deny: PathBuf,
}

fn main() -> Result<()> {
    let given = Arguments::parse();
    let denied = stat(&given.deny).with_context(|| format!("responder: {}", given.deny.display()))?;
    let flags = InitFlags::FAN_CLASS_CONTENT | InitFlags::FAN_CLOEXEC;
    let group = Fanotify::init(flags, EventFFlags::O_RDONLY | EventFFlags::O_CLOEXEC)
        .context("responder: making a fanotify group")?;
    let how = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_MOUNT;
    group
        .mark(how, MaskFlags::FAN_OPEN_PERM, AT_FDCWD, Some(&given.mount))
        .with_context(|| format!("responder: watching {}", given.mount.display()))?;
    println!("ready");
    loop {
        for event in group.read_events().context("responder: reading events")? {
            let Some(file) = event.fd() else { continue };
            let found = fstat(file).context("responder: asking for a file's number")?;
            let same = (found.st_dev, found.st_ino) == (denied.st_dev, denied.st_ino);
            let answer = if same { Response::FAN_DENY } else { Response::FAN_ALLOW };
            group.write_response(FanotifyResponse::new(file, answer)).context("responder: answering")?;
        }
    }
}
