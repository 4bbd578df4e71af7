//! Policy files from disk.

use std::fs;
use std::path::{Path, PathBuf};

use actors::revision_store::PolicyFile;

/// Reads a file, or every `*.toml` of a directory in the order of their names. One that cannot be read is an error: half
/// a policy is none.
pub fn read(path: &Path) -> Result<Vec<PolicyFile>, String> {
    let told = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let facts = fs::metadata(path).map_err(|error| told(path, error))?;
    if !facts.is_dir() {
        return Ok(vec![one(path)?]);
    }
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| told(path, error))? {
        let entry = entry.map_err(|error| told(path, error))?.path();
        if entry.extension().is_some_and(|extension| extension == "toml") {
            paths.push(entry);
        }
    }
    paths.sort();
    paths.iter().map(|path| one(path)).collect()
}

fn one(path: &Path) -> Result<PolicyFile, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}:1:1: it cannot be read: {error}", path.display()))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(PolicyFile { path: path.display().to_string(), text }),
        Err(error) => {
            let before = error.utf8_error().valid_up_to();
            let line =
                error.as_bytes().get(..before).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(format!("{}:{line}:1: expected UTF-8", path.display()))
        }
    }
}
