//! Loads every program that fits this kernel's prototypes, attaches nothing, and prints what was loaded.
//! vmtests/load-test.sh runs it on each kernel of the matrix.

use std::mem::MaybeUninit;

use bpf::skeleton::bartizan::BartizanSkelBuilder;
use bpf::support;
use libbpf_rs::btf::Btf;
use libbpf_rs::skel::{OpenSkel as _, Skel as _, SkelBuilder as _};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let btf = Btf::from_vmlinux().map_err(support::SupportError::NoBtf)?;
    let chosen = support::setattr_program(support::parameters(&btf, "inode_setattr")?)?;
    let mut storage = MaybeUninit::uninit();
    let mut open = BartizanSkelBuilder::default().open(&mut storage)?;
    open.progs.inode_setattr_dentry.set_autoload(chosen == "inode_setattr_dentry");
    open.progs.inode_setattr_idmap.set_autoload(chosen == "inode_setattr_idmap");
    let loaded = open.load()?;
    let names: Vec<String> = loaded
        .object()
        .progs()
        .filter(|program| program.autoload())
        .map(|p| p.name().to_string_lossy().into_owned())
        .collect();
    println!("{} programs loaded: {}", names.len(), names.join(" "));
    Ok(())
}
