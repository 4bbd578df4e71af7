//! Runs the built `bartizan`.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;

/// The program, asking at this socket, without what the environment of the tests says about terminals.
pub(crate) fn bartizan(socket: &Path) -> Command {
    let mut command = Command::new(cargo_bin!("bartizan"));
    command
        .env("BARTIZAN_SOCKET", socket)
        .env("TZ", "UTC")
        .env_remove("PAGER")
        .env_remove("NO_COLOR")
        .env_remove("COLUMNS");
    command
}

/// All that it says, for a snapshot: nothing in it is about this machine or this moment.
pub(crate) fn said(socket: &Path, words: &[&str]) -> String {
    let output = bartizan(socket).args(words).output().unwrap();
    told(socket, words, &output)
}

pub(crate) fn told(socket: &Path, words: &[&str], output: &Output) -> String {
    let status = output.status.code().map_or("a signal".to_owned(), |code| code.to_string());
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let kernel = nix::sys::utsname::uname().unwrap().release().to_string_lossy().into_owned();
    let place = socket.parent().unwrap().display().to_string();
    let text = format!("$ bartizan {}\n{out}--- stderr\n{err}--- status {status}", words.join(" "));
    text.replace(&kernel, "KERNEL")
        .replace(&place, "PLACE")
        .replace(&format!("on {},", actors::host::name()), "on HOST,")
}
