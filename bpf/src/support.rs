//! Facts about the running kernel, and what follows from them.

use libbpf_rs::btf::{Btf, types::FuncProto};

/// Why a program cannot be chosen for a hook.
#[derive(Debug, thiserror::Error)]
pub enum SupportError {
    /// The kernel has no type information.
    #[error("the kernel's type information (/sys/kernel/btf/vmlinux) cannot be read: {0}")]
    NoBtf(libbpf_rs::Error),
    /// The kernel has no such hook.
    #[error("the kernel has no LSM hook {0}")]
    NoHook(String),
    /// The hook is there, but not as any program of ours expects it.
    #[error("LSM hook {hook} has {found} parameters on this kernel, and no program of Bartizan expects that many")]
    UnknownPrototype {
        /// The hook.
        hook: String,
        /// Its number of parameters.
        found: usize,
    },
}

/// How many parameters an LSM hook has on this kernel, by its `bpf_lsm_` function in BTF.
pub fn parameters(btf: &Btf<'_>, hook: &str) -> Result<usize, SupportError> {
    btf.type_by_name::<libbpf_rs::btf::types::Func<'_>>(&format!("bpf_lsm_{hook}"))
        .and_then(|function| function.next_type())
        .and_then(|proto| FuncProto::try_from(proto).ok())
        .map(|proto| proto.iter().count())
        .ok_or_else(|| SupportError::NoHook(hook.to_owned()))
}

/// The program for `inode_setattr`: two parameters up to 6.2, three (with an idmap or a user namespace) since.
pub fn setattr_program(parameters: usize) -> Result<&'static str, SupportError> {
    match parameters {
        2 => Ok("inode_setattr_dentry"),
        3 => Ok("inode_setattr_idmap"),
        found => Err(SupportError::UnknownPrototype { hook: "inode_setattr".to_owned(), found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prototype_that_is_not_known_is_refused() {
        assert_eq!(setattr_program(2).expect("6.1"), "inode_setattr_dentry");
        assert_eq!(setattr_program(3).expect("6.12"), "inode_setattr_idmap");
        let refused = setattr_program(4).expect_err("nobody has four").to_string();
        assert!(refused.contains("inode_setattr") && refused.contains('4'), "{refused}");
    }
}
