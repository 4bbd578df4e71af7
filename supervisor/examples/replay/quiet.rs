//! A kernel that tells nothing beside its events.

use std::collections::BTreeMap;
use std::path::Path;

use bpf::event::{Flood, Repeat};
use bpf::kernel::{Installation, Kernel, KernelError, Map, ReadBack, Ring, SeenService};
use bpf::other_names::OtherNames;
use bpf::process::Process;
use policy::access::Access;
use policy::compiled::{Compiled, Service};

/// That kernel.
pub(crate) struct Quiet;

impl Kernel for Quiet {
    fn install(&mut self, _: &Compiled) -> Result<Installation, KernelError> {
        Ok(Installation::default())
    }

    fn next_generation(&mut self) -> Result<u64, KernelError> {
        Ok(1)
    }

    fn load(&mut self) -> Result<u64, KernelError> {
        Ok(1)
    }

    fn learn(&mut self, _: &str, _: &Service) -> Result<(), KernelError> {
        Ok(())
    }

    fn services(&mut self) -> Result<Vec<SeenService>, KernelError> {
        Ok(Vec::new())
    }

    fn service_of(&mut self, _: &Process) -> Result<Option<String>, KernelError> {
        Ok(None)
    }

    fn other_names(&mut self, _: &Path, _: Access, _: u64) -> Result<Option<OtherNames>, KernelError> {
        Ok(None)
    }

    fn repeats(&mut self) -> Result<Vec<Repeat>, KernelError> {
        Ok(Vec::new())
    }

    fn floods(&mut self) -> Result<Vec<Flood>, KernelError> {
        Ok(Vec::new())
    }

    fn loss(&mut self) -> Result<BTreeMap<String, u64>, KernelError> {
        Ok(BTreeMap::new())
    }

    fn read_back(&mut self) -> Result<ReadBack, KernelError> {
        Ok(ReadBack::default())
    }

    fn detach(&mut self) -> Result<(), KernelError> {
        Ok(())
    }

    fn maps(&mut self) -> Result<Vec<Map>, KernelError> {
        Ok(Vec::new())
    }

    fn rings(&mut self) -> Result<Vec<Ring>, KernelError> {
        Ok(Vec::new())
    }
}
