//! Attaches every program of some objects and pins the links: `empty DIRECTORY OBJECT…`. `scripts/bench kernel` puts its
//! empty programs in force with this, since the bpftool of Debian 12 can load them but not attach them.

use std::path::{Path, PathBuf};

use libbpf_rs::ObjectBuilder;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let directory = arguments.next().ok_or("usage: empty DIRECTORY OBJECT…")?;
    std::fs::create_dir_all(&directory)?;
    for object in arguments {
        attach(&object, &directory).map_err(|error| format!("{}: {error}", object.display()))?;
    }
    Ok(())
}

fn attach(object: &Path, directory: &Path) -> Result<(), libbpf_rs::Error> {
    let object = ObjectBuilder::default().open_file(object)?.load()?;
    for program in object.progs_mut() {
        let mut link = program.attach()?;
        link.pin(directory.join(program.name()))?;
    }
    Ok(())
}
