//! The syscall programs of `kern/call.bpf.h`: changes that must be atomic beside running hooks.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::time::Duration;

use libbpf_rs::Program;

use crate::image::OTHERS;
use crate::inode::Inode;
use crate::kernel::KernelError;
use crate::skeleton::bartizan::types;
use crate::wire::{Plain, bytes, value};

/// The pinned syscall programs.
#[derive(Debug)]
pub struct Calls {
    flip: OwnedFd,
    forget: OwnedFd,
    register: OwnedFd,
    retire: OwnedFd,
    link: OwnedFd,
}

/// Names of the programs, as pinned.
pub(crate) const NAMES: [&str; 5] = ["call_flip", "call_forget", "call_register", "call_retire", "call_link"];

impl Calls {
    /// Opens the programs pinned in this directory.
    pub fn open(directory: &Path) -> Result<Calls, KernelError> {
        let open = |name: &str| {
            Program::fd_from_pinned_path(directory.join(name))
                .map_err(|error| KernelError::bpf(format!("opening the pinned program {name}"), error))
        };
        let [flip, forget, register, retire, link] = NAMES.map(open);
        Ok(Calls { flip: flip?, forget: forget?, register: register?, retire: retire?, link: link? })
    }

    /// Makes the other slot count, under this generation. From now on units start for `start_time`.
    pub fn flip(&self, generation: u64, start_time: Duration) -> Result<(), KernelError> {
        let start_time = u64::try_from(start_time.as_nanos()).unwrap_or(u64::MAX >> 2);
        run("call_flip", &self.flip, &types::bz_call_flip { generation, start_time }).map(drop)
    }

    /// Drops every cached label.
    pub fn forget(&self) -> Result<(), KernelError> {
        run("call_forget", &self.forget, &types::bz_call_flip::default()).map(drop)
    }

    /// The number of a service, given at first sight; `None` when no number is left or the name is too long.
    pub fn register(&self, name: &str, earlier: bool) -> Result<Option<u32>, KernelError> {
        let mut call = types::bz_call_register { flags: u32::from(earlier), ..Default::default() };
        if name.is_empty() || name.len() >= call.unit.name.len() {
            return Ok(None);
        }
        for (to, from) in call.unit.name.iter_mut().zip(name.bytes()) {
            *to = from.cast_signed();
        }
        let answer = run("call_register", &self.register, &call)?;
        Ok((answer.id != 0 && answer.id != OTHERS).then_some(answer.id))
    }

    /// Adds to what an inode with several names needs.
    pub(crate) fn link(&self, inode: Inode, label: types::bz_label) -> Result<(), KernelError> {
        let key = types::bz_inode_key { dev: inode.device, ino: inode.number };
        let call = types::bz_call_link { key, generation: inode.generation(), label };
        run("call_link", &self.link, &call).map(drop)
    }

    /// Marks a kind of act as being read for the last time.
    pub fn retire(&self, key: u64) -> Result<(), KernelError> {
        run("call_retire", &self.retire, &types::bz_call_retire { key }).map(drop)
    }
}

/// Runs a syscall program and returns its context as it left it.
fn run<T: Plain>(name: &str, program: &OwnedFd, context: &T) -> Result<T, KernelError> {
    let mut buffer = bytes(context);
    // SAFETY: zeroed options are valid for libbpf, which reads only what `sz` covers.
    let mut options: libbpf_sys::bpf_test_run_opts = unsafe { std::mem::zeroed() };
    options.sz = size_of::<libbpf_sys::bpf_test_run_opts>() as libbpf_sys::size_t;
    options.ctx_in = buffer.as_mut_ptr().cast();
    options.ctx_size_in = u32::try_from(buffer.len()).unwrap_or(0);
    // SAFETY: the context outlives the call, its size is given, and a syscall program writes only within it.
    let result = unsafe { libbpf_sys::bpf_prog_test_run_opts(program.as_raw_fd(), &raw mut options) };
    if result < 0 {
        let source = std::io::Error::from_raw_os_error(-result);
        return Err(KernelError::Bpf { what: format!("running the program {name}"), source });
    }
    value(&buffer).ok_or_else(|| KernelError::NotHeld(format!("{name} gave back a shorter context")))
}
