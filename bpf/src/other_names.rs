//! What the kernel remembers about the names of a file: what any of them needs, the file needs by whatever name.

use std::path::{Path, PathBuf};

use policy::access::{Access, Masks};
use policy::compiled::{Compiled, Label};

use crate::inode::Inode;
use crate::kernel::KernelError;
use crate::links::names;
use crate::skeleton::bartizan::types;
use crate::tables::Tables;
use crate::wire::bytes;

/// What the names of a file need, taken together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherNames {
    /// What the kernel asks for beside what the name needs by which the file is reached.
    pub need: Masks,
    /// Whether one of the names is Bartizan's own.
    pub own: bool,
    /// The names that are there now and mean something, with what each needs.
    pub names: Vec<(PathBuf, Masks)>,
    /// Whether this is told of the file itself: numbers of files are used again, and some file systems do not tell which is
    /// which.
    pub certain: bool,
}

/// Asks the kernel about a file; `known`: what this access needs by the name under which it is asked for. Nothing: the kernel
/// asks for nothing beside that.
pub(crate) fn look(
    tables: &Tables,
    compiled: &Compiled,
    path: &Path,
    access: Access,
    known: u64,
) -> Result<Option<OtherNames>, KernelError> {
    let Some(inode) = Inode::of(path) else { return Ok(None) };
    let key = types::bz_inode_key { dev: inode.device, ino: inode.number };
    let Some(link): Option<types::bz_link> = tables.lookup("links", &bytes(&key))? else { return Ok(None) };
    // 0: nobody has touched the file since it was entered.
    let unbound = link.generation == 0;
    if inode.generation.is_some() && !unbound && link.generation != inode.generation() {
        return Ok(None);
    }
    let own = link.label.need.get(Access::Write as usize) == Some(&u64::MAX);
    let mut need = Masks(link.label.need);
    if own {
        need.remove(Access::Write, u64::MAX);
    }
    if need.get(access) & !known == 0 && !own {
        return Ok(None);
    }
    let named = |(path, label): (PathBuf, Label)| (path, label.need);
    let names = names(compiled, inode).into_iter().map(named).collect();
    Ok(Some(OtherNames { need, own, names, certain: unbound || inode.generation.is_some() }))
}
