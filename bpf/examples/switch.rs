//! Detaches and attaches programs as it is told: `switch SOCKET LINK…`, where the links are pinned. `scripts/bench kernel`
//! takes pairs of measurements with and without Bartizan with this, and removes the pins once it listens.
//!
//! Answers each line, `on` or `off`, with the same line when it is done. Ends, leaving everything detached, with the
//! connection.

use std::io::{BufRead, BufReader, Error, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

use libbpf_rs::query::LinkInfo;
use libbpf_rs::{Link, ProgramHandle};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let socket = arguments.next().ok_or("usage: switch SOCKET LINK…")?;
    let mut programs = Vec::new();
    let mut links = Vec::new();
    for pin in arguments {
        let link = Link::open(Path::new(&pin)).map_err(|error| format!("{}: {error}", pin.display()))?;
        let info: LinkInfo = link.info()?;
        programs.push(ProgramHandle::from_prog_id(info.prog_id)?);
        links.push(link.as_fd().try_clone_to_owned()?);
    }
    let listener = UnixListener::bind(&socket)?;
    println!("ready");
    let (mut answers, _) = listener.accept()?;
    for line in BufReader::new(answers.try_clone()?).lines() {
        let line = line?;
        match line.as_str() {
            "off" => links.clear(),
            "on" if links.is_empty() => {
                for program in &programs {
                    links.push(attach(program)?);
                }
            }
            "on" => {}
            _ => return Err(format!("neither on nor off: {line}").into()),
        }
        writeln!(answers, "{line}")?;
    }
    Ok(())
}

/// Attaches a program to what it was loaded for; it is attached as long as the link is open.
fn attach(program: &ProgramHandle) -> Result<OwnedFd, Error> {
    // SAFETY: the kernel reads no name for programs that know their own target, and the descriptor is open.
    let link = unsafe { libbpf_sys::bpf_raw_tracepoint_open(std::ptr::null(), program.as_fd().as_raw_fd()) };
    if link < 0 {
        return Err(Error::from_raw_os_error(-link));
    }
    // SAFETY: a descriptor that the kernel has just made belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(link) })
}
