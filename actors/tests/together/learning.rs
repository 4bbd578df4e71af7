//! The actors around models, with a kernel that only keeps what it is told: states, imports, and what is on record.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use actix::{Addr, System};
use actors::audit_log::{AuditLog, AuditSettings};
use actors::directory::Directory;
use actors::learner::{Learner, forget_beyond};
use actors::messages::{Enter, FindRecords, Import, Join, NotImported, Show, ShowMaturity, UnitNow};
use actors::model_store::ModelStore;
use actors::registry::Registry;
use actors::root::ExitNotice;
use actors::selection::Selection;
use actors::terms::Terms;
use policy::access::Access;
use policy::compiled::Service;
use policy::export::Export;
use policy::maturity::{Graduation, Unit};
use policy::model::{Model, Seen, State};
use policy::rule::Policy;

use crate::remembering::Remembering;

/// Whether `web` is active in it.
fn active(services: &BTreeMap<String, Service>) -> bool {
    services.get("web").is_some_and(|web| !web.subject.learning)
}

struct Host {
    directory: Directory,
    kernel: Remembering,
    models: ModelStore,
}

impl Host {
    /// All actors, with one active service, `web`, that may run a shell.
    async fn start(at: &Path, terms: Terms) -> Host {
        Host::start_with(at, terms, State::Active, Remembering::but(|_| false)).await
    }

    /// The same with `web` in this state, archived as an active one, and this kernel.
    async fn start_with(at: &Path, terms: Terms, state: State, kernel: Remembering) -> Host {
        let (directory, root, _) = crate::remembering::start(at, Policy::default(), &kernel);
        let notice = |name: &str| ExitNotice::new(name, root.clone());
        let (audit, rules, settings) = (at.join("audit"), at.join("rules"), AuditSettings::default());
        AuditLog::open(&audit, &settings, &rules, 1, directory.clone(), notice("audit")).unwrap().run();
        let models = ModelStore::new(at.join("models"));
        let mut web = Model::new("web", 7);
        web.observe("here", ("SHELL", Access::Execute), ("/usr/bin/web", "/usr/bin/dash"), 5, Seen::Later);
        (web.state, web.returns_to) = (state, (state == State::Archived).then_some(State::Active));
        let registry = Registry::new(directory.clone(), models.clone(), terms, notice("registry"));
        registry.run(BTreeMap::from([("web".to_owned(), web)]));
        Host { directory, kernel, models }
    }

    fn learner(&self) -> Addr<Learner> {
        self.directory.learner("web").unwrap()
    }

    async fn shown(&self, service: &str) -> Model {
        self.directory.learner(service).unwrap().send(Show).await.unwrap()
    }

    async fn import(&self, text: &str) -> Result<Vec<String>, NotImported> {
        let export = Box::new(Export::parse(text).unwrap());
        self.directory.registry().unwrap().send(Import { export, by: "a test".to_owned() }).await.unwrap()
    }

    async fn units(&self, loaded: bool) {
        let unit = Unit { name: "web.service".to_owned(), loaded, ..Unit::default() };
        let now = UnitNow { running: false, earlier: false, units: Some(vec![unit]), file: false };
        self.learner().send(now).await.unwrap();
    }

    /// As of a template without an instance.
    async fn only_a_file(&self) {
        let now = UnitNow { running: false, earlier: false, units: Some(Vec::new()), file: true };
        self.learner().send(now).await.unwrap();
    }

    async fn told(&self) -> Vec<String> {
        let asked = FindRecords { wanted: Selection::default(), after: 0, limit: 100, newest: false };
        let records = self.directory.audit().unwrap().send(asked).await.unwrap().unwrap();
        records.into_iter().map(|record| record.message.into()).collect()
    }
}

fn wrong(imported: Result<Vec<String>, NotImported>) -> String {
    let Err(NotImported::Wrong(mut problems)) = imported else { panic!("the export does not fit: {imported:?}") };
    problems.remove(0)
}

fn failed(imported: Result<Vec<String>, NotImported>) -> String {
    let Err(NotImported::Failed(mut problems)) = imported else { panic!("the export is good: {imported:?}") };
    problems.remove(0)
}

fn terms(archive_after: Duration) -> Terms {
    let day = Duration::from_secs(86_400);
    let graduation = Graduation { learning: day, quiet: day, steady: day, start: day, phases: Default::default() };
    Terms { graduation, archive_after }
}

const EXPORT: &str = r#"{ "bartizan_models": 2, "models": {
  "web": { "granted": { "NET": { "execute": { "there": {
    "first": "2026-01-01T00:00:00Z", "last": "2026-01-02T00:00:00Z", "count": 2, "exe": "/usr/bin/x", "object": "/usr/bin/nc" } } } } },
  "stranger": { "granted": {} } } }"#;

#[test]
fn the_oldest_of_the_archived_that_learned_is_forgotten_for_good_and_on_record() {
    let at = tempfile::tempdir().unwrap();
    System::new().block_on(async {
        let host = Host::start(at.path(), terms(Duration::ZERO)).await;
        let name = |number: i64| format!("run-{number}");
        let models: BTreeMap<String, Model> = (1..=4)
            .map(|number| {
                let state = if number == 2 { State::Active } else { State::Learning };
                let model =
                    Model { state: State::Archived, returns_to: Some(state), ..Model::new(&name(number), number) };
                (name(number), model)
            })
            .collect();
        let root = host.directory.root().unwrap();
        let registry = Registry::new(
            host.directory.clone(),
            host.models.clone(),
            terms(Duration::MAX),
            ExitNotice::new("another registry", root.clone()),
        );
        registry.run(models);
        let archived: Vec<String> = (1..=4).map(name).collect();
        forget_beyond(4, archived.clone(), &host.directory).await;
        assert_eq!(host.directory.learners().len(), 5, "there is room");
        forget_beyond(2, archived, &host.directory).await;
        let left: Vec<String> = host.directory.learners().into_keys().collect();
        assert_eq!(left, ["run-2", "run-3", "run-4", "web"], "what was active is held to its model, however old");
        actix::clock::sleep(Duration::from_millis(500)).await;
        assert!(host.directory.learner("run-1").is_none(), "Root does not build it anew");
        let known = host.models.read().unwrap().0;
        assert!(known.iter().all(|model| model.service != "run-1") && known.len() == 4, "{known:?}");
        let told = host.told().await;
        assert!(told.iter().any(|one| one.starts_with("Service run-1 is forgotten: it was learning")), "{told:?}");
    });
}

#[test]
fn an_import_is_in_the_kernel_on_disk_and_on_record() {
    let at = tempfile::tempdir().unwrap();
    System::new().block_on(async {
        let host = Host::start(at.path(), terms(Duration::MAX)).await;
        assert_eq!(host.import(EXPORT).await.unwrap(), ["web gains NET.execute (there: /usr/bin/nc by /usr/bin/x)"]);
        let web = host.shown("web").await;
        assert_eq!((web.state, web.since, web.granted.len()), (State::Active, 7, 2), "where it stands is not imported");
        let granted = host.kernel.holds("web").unwrap().subject.granted.get(Access::Execute);
        assert_eq!(policy::capability::names_of(granted, &Default::default()).count(), 2, "SHELL and NET");
        let stranger = host.shown("stranger").await;
        assert_eq!((stranger.state, stranger.returns_to), (State::Archived, Some(State::Learning)));
        assert!(host.kernel.holds("stranger").is_none(), "it has no place in the kernel");
        let (on_disk, broken) = host.models.read().unwrap();
        assert_eq!((on_disk.len(), broken.len()), (2, 0));
        assert!(!at.path().join("models/import.json").exists());
        assert_eq!(host.import(EXPORT).await.unwrap(), [""; 0], "twice is once");
        let told = host.told().await;
        let gained = "The model of web gains by import, by a test: NET.execute (there: /usr/bin/nc by /usr/bin/x)";
        assert_eq!(told.iter().filter(|one| one.as_str() == gained).count(), 1, "{told:?}");
    });
}

#[test]
fn an_import_that_is_wrong_changes_nothing() {
    let at = tempfile::tempdir().unwrap();
    System::new().block_on(async {
        let host = Host::start(at.path(), terms(Duration::MAX)).await;
        let before = host.shown("web").await;
        let exempt = EXPORT.replace("stranger", "systemd-journald");
        assert!(wrong(host.import(&exempt).await).contains("systemd-journald"));
        std::fs::create_dir_all(at.path().join("models/import.json")).unwrap();
        assert!(failed(host.import(EXPORT).await).contains("an earlier import"));
        std::fs::remove_dir(at.path().join("models/import.json")).unwrap();
        // The journal cannot be written: a directory is in the way of the file beside it.
        std::fs::create_dir(at.path().join("models/import.json.new")).unwrap();
        assert!(failed(host.import(EXPORT).await).starts_with("nothing was imported"));
        let mut full = before.knowledge();
        for number in 0..policy::knowledge::PROGRAMS_MAX {
            full.programs.insert(format!("/{number}"), before.granted["SHELL"][&Access::Execute].clone());
        }
        host.learner().send(Join { known: Box::new(full), by: "a test".to_owned() }).await.unwrap().unwrap();
        let before = host.shown("web").await;
        let more = EXPORT.replace(r#""web": {"#, r#""web": { "programs": { "/more": { "there": {
            "first": "2026-01-01T00:00:00Z", "last": "2026-01-02T00:00:00Z", "count": 2, "exe": "/x", "object": "/y" } } },"#);
        assert!(wrong(host.import(&more).await).contains("1025 programs"));
        assert_eq!(host.shown("web").await.knowledge(), before.knowledge());
        assert!(host.directory.learner("stranger").is_none());
    });
}

#[test]
fn a_service_is_archived_with_its_unit_and_comes_back_as_it_was() {
    let at = tempfile::tempdir().unwrap();
    System::new().block_on(async {
        let host = Host::start(at.path(), terms(Duration::from_millis(1))).await;
        host.units(true).await;
        assert_eq!(host.shown("web").await.state, State::Active);
        actix::clock::sleep(Duration::from_millis(20)).await;
        host.only_a_file().await;
        assert_eq!(host.shown("web").await.state, State::Active, "a template is here without an instance");
        actix::clock::sleep(Duration::from_millis(20)).await;
        host.units(false).await;
        let archived = host.shown("web").await;
        assert_eq!((archived.state, archived.returns_to), (State::Archived, Some(State::Active)));
        assert_eq!(archived.granted.len(), 1, "its model is kept");
        // The first installation waits for others for a moment.
        actix::clock::sleep(Duration::from_millis(500)).await;
        assert!(!host.kernel.holds("web").unwrap().subject.learning, "what it may do when it is back is known");
        let refused = host.learner().send(Enter { state: State::Learning, by: "a test".to_owned() }).await.unwrap();
        assert!(refused.unwrap_err().contains("archived"));
        host.units(true).await;
        assert_eq!(host.shown("web").await.state, State::Active);
        assert!(!host.kernel.holds("web").unwrap().subject.learning);
        let told: Vec<String> =
            host.told().await.iter().filter_map(|one| Some(one.split_once(':')?.0.to_owned())).collect();
        assert_eq!(told, ["Service web is archived", "Service web is active"], "both are on record");
    });
}

#[test]
fn a_service_that_cannot_be_active_again_learns() {
    let at = tempfile::tempdir().unwrap();
    System::new().block_on(async {
        let host = Host::start_with(at.path(), terms(Duration::MAX), State::Archived, Remembering::but(active)).await;
        host.units(true).await;
        assert_eq!(host.shown("web").await.state, State::Learning);
        let told = host.told().await;
        let why = "Service web is learning: its unit is there, and it cannot be active as before it was archived";
        assert!(told.iter().any(|one| one.starts_with(why) && one.contains("as the test wants it")), "{told:?}");
        assert!(host.kernel.holds("web").unwrap().subject.learning);
    });
}

#[test]
fn a_return_that_is_refused_waits_and_an_operator_can_end_that() {
    let at = tempfile::tempdir().unwrap();
    System::new().block_on(async {
        let host = Host::start_with(at.path(), terms(Duration::MAX), State::Archived, Remembering::but(|_| true)).await;
        host.units(true).await;
        assert_eq!(host.shown("web").await.state, State::Archived, "not even learning was possible");
        host.kernel.refuse(|_| false);
        host.units(true).await;
        assert_eq!(host.shown("web").await.state, State::Archived, "it is not asked for again at once");
        host.learner().send(Enter { state: State::Manual, by: "a test".to_owned() }).await.unwrap().unwrap();
        assert_eq!(host.shown("web").await.state, State::Manual);
    });
}

#[test]
fn operators_move_services_and_that_is_on_record() {
    let at = tempfile::tempdir().unwrap();
    System::new().block_on(async {
        let host = Host::start(at.path(), terms(Duration::MAX)).await;
        for (state, learns) in [(State::Manual, true), (State::Active, false), (State::Learning, true)] {
            host.learner().send(Enter { state, by: "a test".to_owned() }).await.unwrap().unwrap();
            assert_eq!(host.shown("web").await.state, state);
            assert_eq!(host.kernel.holds("web").unwrap().subject.learning, learns);
            let told = host.told().await;
            assert_eq!(told.last().unwrap(), &format!("Service web is {}: by a test", state.name()));
        }
        let maturity = host.learner().send(ShowMaturity).await.unwrap();
        assert_eq!(maturity.waits_for, ["24 h more of learning", "24 h more without anything new"]);
        assert_eq!(host.shown("web").await.granted.len(), 1, "what was known is kept");
    });
}
