//! What follows a loss, as the operator chose it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use actix::System;
use actors::audit_log::{AuditLog, AuditSettings};
use actors::directory::Directory;
use actors::messages::{Enter, FindRecords, Observed, Put, Show, ShowMaturity};
use actors::model_store::ModelStore;
use actors::on_loss::{OnLoss, Settings};
use actors::record::{Kind, Record};
use actors::registry::Registry;
use actors::root::ExitNotice;
use actors::selection::Selection;
use actors::terms::Terms;
use bpf::event::{Event, Flood, Object};
use bpf::stream::{Decoder, RECORD, Ring};
use policy::access::Access;
use policy::decide::Verdict;
use policy::maturity::Graduation;
use policy::model::{Model, State};
use policy::rule::Policy;

use crate::remembering::Remembering;

struct Host {
    directory: Directory,
    kernel: Remembering,
}

impl Host {
    /// With `web` and `mail`, which are ready to become active when their learners look next, after five seconds.
    fn start(at: &Path, on_loss: OnLoss, hold_time: Duration) -> Host {
        let kernel = Remembering::but(|_| false);
        let (directory, root, _) = crate::remembering::start(at, Policy::default(), &kernel);
        let notice = |name: &str| ExitNotice::new(name, root.clone());
        let settings = AuditSettings { losses: Settings { on_loss, hold_time }, ..AuditSettings::default() };
        let (audit, rules) = (at.join("audit"), at.join("rules"));
        AuditLog::open(&audit, &settings, &rules, 1, directory.clone(), notice("audit")).unwrap().run();
        let none = Duration::ZERO;
        let graduation =
            Graduation { learning: none, quiet: none, steady: none, start: none, phases: Default::default() };
        let terms = Terms { graduation, archive_after: Duration::MAX };
        let registry = Registry::new(directory.clone(), ModelStore::new(at.join("models")), terms, notice("registry"));
        let models = ["web", "mail"].map(|name| (name.to_owned(), Model::new(name, 7)));
        registry.run(BTreeMap::from(models));
        Host { directory, kernel }
    }

    async fn does(&self, service: &str) {
        let Some(Event::Observation(mut act)) = Decoder::new(|| None).decode(&[0; RECORD], Ring::Observations) else {
            panic!("a record of zeros is an observation");
        };
        act.service = service.into();
        (act.time, act.access, act.capabilities) = (SystemTime::now(), Access::Execute, 1);
        act.object = Object::Path("/usr/bin/dash".into());
        self.directory.learner(service).unwrap().send(Observed(Box::new(act))).await.unwrap().unwrap();
    }

    /// Where a service stands, and how many capabilities it has.
    async fn stands(&self, service: &str) -> (State, usize) {
        let model = self.directory.learner(service).unwrap().send(Show).await.unwrap();
        (model.state, model.granted.len())
    }

    async fn told(&self, kind: Kind) -> Vec<Record> {
        let asked = FindRecords { wanted: Selection::default(), after: 0, limit: 100, newest: false };
        let records = self.directory.audit().unwrap().send(asked).await.unwrap().unwrap();
        records.into_iter().filter(|record| record.kind == kind).collect()
    }

    /// Loses an observation, and waits until that is known.
    async fn lose(&self, count: u64) {
        self.kernel.lose("observations", count);
        pause(1500).await;
    }
}

async fn pause(milliseconds: u64) {
    actix::clock::sleep(Duration::from_millis(milliseconds)).await;
}

fn with<T: Future<Output = ()>>(on_loss: OnLoss, hold_time: Duration, test: impl FnOnce(Host) -> T) {
    let place = tempfile::tempdir().unwrap();
    System::new().block_on(async { test(Host::start(place.path(), on_loss, hold_time)).await });
}

const LONG: Duration = Duration::from_secs(600);

#[test]
fn services_are_held_until_nothing_more_is_lost() {
    with(OnLoss::Hold, Duration::from_secs(7), |host| async move {
        host.lose(3).await;
        host.does("web").await;
        assert_eq!(host.stands("web").await, (State::Learning, 0), "it learns nothing");
        let waits = host.directory.learner("web").unwrap().send(ShowMaturity).await.unwrap().waits_for;
        assert!(waits.len() == 1 && waits[0].ends_with("without a loss of evidence, as it is held"), "{waits:?}");
        pause(4500).await;
        assert_eq!(host.stands("web").await, (State::Learning, 0), "nor does it become active");
        assert_eq!(host.stands("mail").await, (State::Learning, 0), "nobody knows whose evidence it was");
        pause(5500).await;
        assert_eq!(host.stands("web").await, (State::Active, 1), "what it did meanwhile has waited");
        let told: Vec<String> =
            host.told(Kind::Lifecycle).await.into_iter().map(|record| record.message.into()).collect();
        assert!(told[0].starts_with("Services that learn are held: evidence was lost"), "{told:?}");
        assert!(told.contains(&"Services that learn are held no longer".to_owned()), "{told:?}");
        assert_eq!(host.told(Kind::Loss).await[0].count, 3, "and the loss is on record");
    });
}

#[test]
fn losses_are_read_once_more_before_a_service_becomes_active() {
    with(OnLoss::Hold, LONG, |host| async move {
        // Nothing is lost when the counts are read as ever, once a second.
        host.kernel.lose_between();
        pause(8000).await;
        let stand = [host.stands("web").await.0, host.stands("mail").await.0];
        assert!(stand.contains(&State::Learning), "who asked second was told");
    });
}

#[test]
fn an_operator_decides_for_one_service() {
    with(OnLoss::Hold, LONG, |host| async move {
        host.lose(1).await;
        for service in ["web", "mail"] {
            host.does(service).await;
            assert!(host.directory.holds().left(service).is_some());
        }
        let web = host.directory.learner("web").unwrap();
        web.send(Enter { state: State::Manual, by: "a test".to_owned() }).await.unwrap().unwrap();
        host.does("web").await;
        assert_eq!(host.stands("web").await, (State::Manual, 1));
        assert_eq!(host.stands("mail").await, (State::Learning, 0), "the other is held");
    });
}

#[test]
fn a_flood_of_one_that_learns_holds_that_one() {
    with(OnLoss::Hold, LONG, |host| async move {
        let flood = |verdict| Flood {
            service: "web".to_owned(),
            access: Access::Write,
            capability: Some(0),
            verdict,
            count: 5,
        };
        host.kernel.lose("violations", 2);
        host.kernel.flood(vec![flood(Verdict::Deny)]);
        pause(1500).await;
        assert!(host.directory.holds().left("web").is_none(), "what was denied is no evidence");
        host.kernel.flood(vec![flood(Verdict::Allow)]);
        pause(1500).await;
        assert!(host.directory.holds().left("web").is_some() && host.directory.holds().left("mail").is_none());
        assert!(host.told(Kind::Lifecycle).await[0].message.starts_with("Service web is held"));
    });
}

#[test]
fn a_loss_is_on_record_and_services_learn_on() {
    with(OnLoss::Audit, LONG, |host| async move {
        host.lose(3).await;
        host.does("web").await;
        pause(4500).await;
        assert_eq!(host.stands("web").await, (State::Active, 1));
        assert_eq!(host.told(Kind::Loss).await[0].count, 3);
    });
}

#[test]
fn a_loss_is_in_the_log_only() {
    with(OnLoss::Log, LONG, |host| async move {
        host.lose(3).await;
        let lost = Record { count: 4, ..Record::plain(Kind::Loss, "The sink x did not get some records".to_owned()) };
        host.directory.audit().unwrap().send(Put(Box::new(lost))).await.unwrap().unwrap();
        host.directory.tell(Kind::Loss, Some("web"), "An event could not be taken in".to_owned());
        host.does("web").await;
        pause(4500).await;
        assert_eq!(host.stands("web").await, (State::Active, 1), "nobody is held");
        assert_eq!(host.told(Kind::Loss).await, Vec::new());
    });
}
