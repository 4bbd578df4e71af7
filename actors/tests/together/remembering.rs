//! A kernel that only remembers what it is told, and the actors that every test with it needs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use actix::{Actor as _, Addr};
use actors::directory::Directory;
use actors::kernel_link::KernelLink;
use actors::permissive::Permissive;
use actors::placement::Placement;
use actors::policy_keeper::{Beginning, PolicyKeeper};
use actors::revision_store::{Revision, RevisionStore};
use actors::root::{ExitNotice, Root};
use bpf::event::{Flood, Repeat};
use bpf::kernel::{Decided, Installation, Kernel, KernelError, Map, ReadBack, Ring, SeenService};
use bpf::other_names::OtherNames;
use bpf::process::Process;
use policy::access::Access;
use policy::compiled::{Compiled, Service};
use policy::host::BareHost;
use policy::rule::Policy;

/// Its counts are read once a second.
const OFTEN: Duration = Duration::from_millis(500);

type Services = BTreeMap<String, Service>;

/// What it holds, how often a revision was installed, and what it does not take.
#[derive(Clone)]
pub(crate) struct Remembering(Arc<Mutex<State>>);

struct State {
    services: Services,
    installations: usize,
    refuses: fn(&Services) -> bool,
    loss: BTreeMap<String, u64>,
    floods: Vec<Flood>,
    /// When its losses were asked for last.
    asked: Option<Instant>,
    between: bool,
}

impl Remembering {
    /// One that refuses to hold what this says.
    pub(crate) fn but(refuses: fn(&Services) -> bool) -> Remembering {
        Remembering(Arc::new(Mutex::new(State {
            services: Services::new(),
            installations: 0,
            refuses,
            loss: BTreeMap::from([("violations".to_owned(), 0), ("observations".to_owned(), 0)]),
            floods: Vec::new(),
            asked: None,
            between: false,
        })))
    }

    /// From now on it refuses this.
    pub(crate) fn refuse(&self, refuses: fn(&Services) -> bool) {
        self.0.lock().unwrap().refuses = refuses;
    }

    /// From now on it has lost so many of this kind.
    pub(crate) fn lose(&self, kind: &str, count: u64) {
        self.0.lock().unwrap().loss.insert(kind.to_owned(), count);
    }

    /// From now on it loses an observation when it is asked for its losses sooner than it usually is.
    pub(crate) fn lose_between(&self) {
        self.0.lock().unwrap().between = true;
    }

    /// From now on it counts these floods.
    pub(crate) fn flood(&self, floods: Vec<Flood>) {
        self.0.lock().unwrap().floods = floods;
    }

    /// How often a revision was installed.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().installations
    }

    /// What it holds about a service.
    pub(crate) fn holds(&self, service: &str) -> Option<Service> {
        self.0.lock().unwrap().services.get(service).cloned()
    }

    fn take(&self, services: Services, whole: bool) -> Result<Installation, KernelError> {
        let mut state = self.0.lock().unwrap();
        if (state.refuses)(&services) {
            return Err(KernelError::NotHeld("as the test wants it".to_owned()));
        }
        if whole {
            state.installations += 1;
            state.services.clear();
        }
        state.services.extend(services);
        Ok(Installation { generation: 2, ..Installation::default() })
    }
}

impl Kernel for Remembering {
    fn install(&mut self, compiled: &Compiled) -> Result<Installation, KernelError> {
        self.take(compiled.services.clone(), true)
    }

    fn next_generation(&mut self) -> Result<u64, KernelError> {
        Ok(2)
    }

    fn load(&mut self) -> Result<u64, KernelError> {
        Ok(1)
    }

    fn learn(&mut self, name: &str, service: &Service) -> Result<(), KernelError> {
        self.take(Services::from([(name.to_owned(), service.clone())]), false).map(drop)
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
        Ok(self.0.lock().unwrap().floods.clone())
    }

    fn loss(&mut self) -> Result<BTreeMap<String, u64>, KernelError> {
        let mut state = self.0.lock().unwrap();
        if state.asked.replace(Instant::now()).is_some_and(|before| before.elapsed() < OFTEN) && state.between {
            state.loss.insert("observations".to_owned(), 1);
        }
        Ok(state.loss.clone())
    }

    fn read_back(&mut self) -> Result<ReadBack, KernelError> {
        Ok(ReadBack::default())
    }

    fn detach(&mut self) -> Result<(), KernelError> {
        Ok(())
    }

    fn decided(&mut self) -> Result<BTreeMap<&'static str, Decided>, KernelError> {
        Ok(BTreeMap::from([("file_open", Decided { refused: 2, audited: 3 })]))
    }

    fn rings(&mut self) -> Result<Vec<Ring>, KernelError> {
        let ring = |name: &str| Ring { name: name.to_owned(), waiting: 0, size: 1 << 21 };
        Ok(["violations", "observations"].map(ring).to_vec())
    }

    fn maps(&mut self) -> Result<Vec<Map>, KernelError> {
        Ok(vec![Map { name: "labels".to_owned(), entries: 3, digest: "00ff".to_owned() }])
    }
}

/// Root, the kernel link and a keeper of this policy, whose files are below `at`.
pub(crate) fn start(at: &Path, policy: Policy, kernel: &Remembering) -> (Directory, Addr<Root>, Addr<PolicyKeeper>) {
    let directory = Directory::default();
    let root = Root::default().start();
    directory.set_root(root.clone());
    let notice = |name: &str| ExitNotice::new(name, root.clone());
    let (_, events) = mpsc::channel();
    let link = KernelLink::new(Box::new(kernel.clone()), events, directory.clone(), notice("kernel link"));
    directory.set_kernel(link.start());
    let beginning = Beginning {
        revision: Revision::default(),
        policy,
        services: BTreeMap::new(),
        operators: Default::default(),
        broken: None,
        permissive: Permissive::read(at.join("permissive")),
        placement: Placement::read(at.join("slices")),
    };
    let store = RevisionStore::new(at.join("revisions"));
    let keeper = PolicyKeeper::new(directory.clone(), store, Box::new(BareHost), beginning, notice("keeper")).start();
    directory.set_keeper(keeper.clone());
    (directory, root, keeper)
}
