//! The switch that keeps Bartizan from enforcing: the kernel command line, or a file that `bartizan off` leaves.

use std::io;
use std::path::Path;

use actors::atomic;
use actors::clock::{now_ms, rfc3339};

use crate::paths::{DISABLED, DISABLED_UNTIL_REBOOT};

const COMMAND_LINE: &str = "bartizan.disable is on the kernel command line";

/// Why enforcement is switched off, if it is.
pub fn disabled() -> Option<String> {
    on_command_line().or_else(|| [DISABLED, DISABLED_UNTIL_REBOOT].iter().find_map(|path| said(Path::new(path))))
}

fn on_command_line() -> Option<String> {
    let line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let found = line.split_whitespace().any(|word| word == "bartizan.disable" || word == "bartizan.disable=1");
    found.then(|| COMMAND_LINE.to_owned())
}

/// What a file says; an operator may have made an empty one by hand.
fn said(path: &Path) -> Option<String> {
    if !path.exists() {
        return None;
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let why = text.lines().next().filter(|line| !line.is_empty()).map(|line| format!(": {line}"));
    Some(format!("{} exists{}", path.display(), why.unwrap_or_default()))
}

/// Has every start from now on find the switch off; returns for how long.
pub fn turn_off(by: &str, until_reboot: bool) -> io::Result<&'static str> {
    let (path, how_long) = if until_reboot {
        (DISABLED_UNTIL_REBOOT, "until the reboot or `bartizan on`")
    } else {
        (DISABLED, "until `bartizan on`")
    };
    atomic::write(Path::new(path), format!("`bartizan off` by {by}, {}\n", rfc3339(now_ms())).as_bytes())
        .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
    Ok(how_long)
}

/// Takes the files away. The kernel command line is beyond reach.
pub fn turn_on() -> Result<(), String> {
    if let Some(why) = on_command_line() {
        return Err(format!("{why}: boot without it"));
    }
    for path in [DISABLED, DISABLED_UNTIL_REBOOT] {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(format!("{path}: {error}")),
            _ => {}
        }
    }
    Ok(())
}
