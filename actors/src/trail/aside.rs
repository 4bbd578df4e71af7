//! Records of who could not write the trail, as another process did: each in a file of its own beside it, until whoever writes
//! the trail takes it in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Trail;
use crate::atomic;
use crate::record::{Kind, Record};
use crate::tally::Key;

fn place(trail: &Path) -> PathBuf {
    trail.join("aside")
}

/// Leaves a record for whoever writes the trail; the file that has it meanwhile.
pub fn put(trail: &Path, record: &Record) -> io::Result<PathBuf> {
    atomic::closed_directory(&place(trail))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let file = place(trail).join(format!("{now:020}-{}.json", std::process::id()));
    atomic::write(&file, &serde_json::to_vec(record)?)?;
    Ok(file)
}

/// The files, oldest first.
pub(super) fn list(trail: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(place(trail)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    Ok(files)
}

impl Trail {
    /// Takes in what others have left. A crash in between does not take in anything twice: the line has the file's name as its
    /// key.
    pub(super) fn take_aside(&mut self) -> io::Result<()> {
        for path in list(&self.directory)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Ok(record) = serde_json::from_slice::<Record>(&fs::read(&path)?) else {
                fs::rename(&path, path.with_extension("broken"))?;
                let message = format!("The file {name} beside the audit trail is no record, and was set aside");
                self.owe(Kind::Tamper, message, None);
                self.pay()?;
                continue;
            };
            let key = Key::from(format!("aside-{name}"));
            if !self.tally.knows(&key) {
                let taken = self.append(record, Some(key), 0)?;
                self.news.push(taken);
            }
            fs::remove_file(&path)?;
        }
        Ok(())
    }
}
