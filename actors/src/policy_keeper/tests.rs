//! The keeper and the kernel link, with a kernel that only remembers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use bpf::event::{Flood, Repeat};
use bpf::kernel::{Installation, Kernel, KernelError, Map, ReadBack, SeenService};
use bpf::other_names::OtherNames;
use bpf::process::Process;
use policy::access::Access;
use policy::capability::{Catalogue, Grants};
use policy::compiled::Service;
use policy::host::BareHost;
use policy::model::State;
use policy::syntax::parse;
use tokio::task::JoinSet;

use super::*;
use crate::kernel_link::KernelLink;
use crate::messages::{Placed, ShowHeldBack};
use crate::root::Root;

/// What was installed, and whether the next installation fails.
#[derive(Clone, Default)]
struct Remembering {
    installed: Arc<Mutex<Vec<Compiled>>>,
    fails: Arc<AtomicBool>,
}

impl Remembering {
    fn count(&self) -> usize {
        self.installed.lock().unwrap().len()
    }

    fn last(&self, service: &str) -> Service {
        self.installed.lock().unwrap().last().unwrap().services[service].clone()
    }
}

impl Kernel for Remembering {
    fn install(&mut self, compiled: &Compiled) -> Result<Installation, KernelError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(KernelError::NotHeld("as the test wants it".to_owned()));
        }
        self.installed.lock().unwrap().push(compiled.clone());
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
}

/// Runs a test with a keeper of these rules.
fn with<T: Future<Output = ()>>(rules: &str, test: impl FnOnce(Addr<PolicyKeeper>, Remembering) -> T) {
    let place = tempfile::tempdir().unwrap();
    System::new().block_on(async {
        let (directory, kernel) = (Directory::default(), Remembering::default());
        let root = Root::default().start();
        let notice = |name: &str| ExitNotice::new(name, root.clone());
        let (_events, receiver) = mpsc::channel();
        let link = KernelLink::new(Box::new(kernel.clone()), receiver, directory.clone(), notice("link"));
        directory.set_kernel(link.start());
        let beginning = Beginning {
            revision: Revision::default(),
            policy: parse("p", rules).unwrap(),
            services: Services::new(),
            operators: Operators::new(),
            broken: None,
            permissive: Permissive::read(place.path().join("permissive.json")),
            placement: Placement::read(place.path().join("slices.json")),
        };
        let store = RevisionStore::new(place.path().join("revisions"));
        let keeper =
            PolicyKeeper::new(directory.clone(), store, Box::new(BareHost), beginning, notice("keeper")).start();
        directory.set_keeper(keeper.clone());
        test(keeper, kernel).await;
    });
}

fn model(name: &str, state: State, granted: Grants) -> ModelChanged {
    ModelChanged(ServiceModel { name: name.to_owned(), state, granted })
}

async fn changed(keeper: &Addr<PolicyKeeper>, name: &str, state: State) -> Result<(), String> {
    keeper.send(model(name, state, Grants::new())).await.unwrap()
}

const ENFORCED: &str =
    "[[rule]]\nname = \"enforced\"\nservices = [\"web-*\", \"NetworkManager\"]\nviolations = \"prevent\"\n";

#[test]
fn services_that_become_active_together_are_compiled_together() {
    with(ENFORCED, |keeper, kernel| async move {
        let mut all = JoinSet::new();
        for number in 0..50 {
            all.spawn(keeper.send(model(&format!("web-{number}"), State::Active, Grants::new())));
        }
        while let Some(done) = all.join_next().await {
            assert_eq!(done.unwrap().unwrap(), Ok(()));
        }
        assert!((1..=3).contains(&kernel.count()), "{} installations", kernel.count());
        assert!((0..50).all(|number| !kernel.last(&format!("web-{number}")).subject.prevent.is_empty()));
    });
}

#[test]
fn what_the_kernel_does_not_take_does_not_come_by_itself_later() {
    with(ENFORCED, |keeper, kernel| async move {
        changed(&keeper, "web-1", State::Learning).await.unwrap();
        kernel.fails.store(true, Ordering::SeqCst);
        assert!(changed(&keeper, "web-1", State::Active).await.unwrap_err().contains("as the test wants it"));
        kernel.fails.store(false, Ordering::SeqCst);
        changed(&keeper, "web-2", State::Active).await.unwrap();
        assert!(kernel.last("web-1").subject.learning && !kernel.last("web-2").subject.learning);
        // Nor is it taken for held when it is asked for again, though nobody knew the service before.
        kernel.fails.store(true, Ordering::SeqCst);
        for _ in 0..2 {
            assert!(changed(&keeper, "web-3", State::Active).await.is_err());
        }
    });
}

#[test]
fn a_service_that_would_lock_people_out_does_not_become_active() {
    with(ENFORCED, |keeper, kernel| async move {
        let name = "NetworkManager";
        changed(&keeper, name, State::Learning).await.unwrap();
        let held_back = async || keeper.send(ShowHeldBack).await.unwrap();
        let refused = changed(&keeper, name, State::Active).await.unwrap_err();
        assert!(refused.contains("learns on: p:2:8: NetworkManager could not read"), "{refused}");
        assert!(held_back().await[name].contains("boot: the network"));
        changed(&keeper, "web-1", State::Active).await.unwrap();
        assert!(kernel.last(name).subject.learning, "it stays what it was");
        // What it learns does not end that, and all that it needs does.
        let some = Grants::from([("NET".to_owned(), BTreeSet::from([Access::Read]))]);
        keeper.send(model(name, State::Learning, some)).await.unwrap().unwrap();
        assert!(held_back().await.contains_key(name));
        changed(&keeper, name, State::Manual).await.unwrap();
        assert!(held_back().await.is_empty(), "nobody wants it to be active");
        let names = Catalogue::builtin().iter().map(|one| one.name.clone());
        let all: Grants = names.map(|capability| (capability, Access::ALL.into())).collect();
        keeper.send(model(name, State::Active, all)).await.unwrap().unwrap();
        assert!(held_back().await.is_empty() && !kernel.last(name).subject.learning);
    });
}

#[test]
fn a_slice_in_which_a_service_would_lock_people_out_does_not_count() {
    let rules = "[[rule]]\nname = \"r\"\nservices = [\"system-web.slice\"]\nviolations = \"prevent\"\n";
    with(rules, |keeper, kernel| async move {
        for name in ["NetworkManager", "app"] {
            changed(&keeper, name, State::Active).await.unwrap();
        }
        let seen = ["NetworkManager", "app"].map(|name| (name.to_owned(), "system-web".to_owned()));
        let before = kernel.count();
        keeper.send(Placed(seen.into())).await.unwrap();
        while kernel.count() == before {
            actix::clock::sleep(Duration::from_millis(10)).await;
        }
        assert!(!kernel.last("app").subject.prevent.is_empty());
        assert!(kernel.last("NetworkManager").subject.prevent.is_empty());
    });
}

#[test]
fn a_service_that_is_seen_in_another_slice_is_held_to_its_rules() {
    let rules = "[[rule]]\nname = \"r\"\nservices = [\"system-web.slice\"]\ncapabilities = { SHELL = \"prevent\" }\n";
    with(rules, |keeper, kernel| async move {
        changed(&keeper, "app", State::Active).await.unwrap();
        for (slice, prevented) in [("system-web-inner", true), ("system-website", false)] {
            let before = kernel.count();
            keeper.send(Placed(BTreeMap::from([("app".to_owned(), slice.to_owned())]))).await.unwrap();
            while kernel.count() == before {
                actix::clock::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(!kernel.last("app").subject.prevent.is_empty(), prevented, "{slice}");
        }
        // No rule says anything else about it there.
        actix::clock::sleep(TOGETHER * 3).await;
        let before = kernel.count();
        keeper.send(Placed(BTreeMap::from([("app".to_owned(), "user".to_owned())]))).await.unwrap();
        actix::clock::sleep(TOGETHER * 3).await;
        assert_eq!(kernel.count(), before);
    });
}
