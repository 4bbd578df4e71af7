//! Where services are, kept in a file: at boot the policy is compiled before any of them runs.

use std::io;
use std::path::PathBuf;

use policy::slice::Slices;

use crate::atomic;

/// The slices of services.
#[derive(Debug, Default)]
pub struct Placement {
    file: PathBuf,
    slices: Slices,
}

impl Placement {
    /// Reads the file. With one that cannot be read, services are where systemd puts them by itself, until they are seen.
    pub fn read(file: PathBuf) -> Placement {
        let found = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Placement { slices: found.unwrap_or_default(), file }
    }

    /// The slices.
    pub fn slices(&self) -> &Slices {
        &self.slices
    }

    /// Takes over what is seen now; returns those that are elsewhere than before.
    pub fn put(&mut self, seen: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
        let moved = seen.into_iter().filter(|(service, slice)| self.slices.put(service, slice));
        moved.map(|(service, _)| service).collect()
    }

    /// Writes the file.
    pub fn write(&self) -> io::Result<()> {
        atomic::write(&self.file, &serde_json::to_vec(&self.slices)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn where_services_are_outlives_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("slices.json");
        let mut placement = Placement::read(file.clone());
        let seen = [("nginx".to_owned(), "system-web".to_owned()), ("cron".to_owned(), "system".to_owned())];
        assert_eq!(placement.put(seen.clone()), ["nginx"]);
        placement.write().unwrap();
        let mut again = Placement::read(file.clone());
        assert_eq!(&*again.slices().of("nginx"), "system-web");
        assert_eq!(again.put(seen), [""; 0]);
        std::fs::write(&file, "{").unwrap();
        assert_eq!(&*Placement::read(file).slices().of("nginx"), "system");
    }
}
