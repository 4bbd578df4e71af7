//! The switch that starts Bartizan without enforcement: the kernel command line, or a file.

use std::path::Path;

use crate::paths::DISABLED;

/// Why enforcement is switched off, if it is.
pub fn disabled() -> Option<String> {
    let line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    if line.split_whitespace().any(|word| word == "bartizan.disable" || word == "bartizan.disable=1") {
        return Some("bartizan.disable is on the kernel command line".to_owned());
    }
    Path::new(DISABLED).exists().then(|| format!("{DISABLED} exists"))
}
