//! The API on a socket of its own, with all actors behind it.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use actix::System;
use actors::audit_log::{AuditLog, AuditSettings};
use actors::directory::Directory;
use actors::messages::Put;
use actors::model_store::ModelStore;
use actors::record::{Kind, Record};
use actors::registry::Registry;
use actors::root::ExitNotice;
use bpf::stream::{Decoder, RECORD, Ring};
use policy::access::Access;
use policy::model::{Model, Seen, State};
use policy::rule::Policy;
use supervisor::api::{self, Api, StartAnew};
use supervisor::config::Config;
use tempfile::TempDir;

use crate::remembering::{self, Remembering};

/// A daemon without a kernel; it ends with this.
pub(crate) struct Served {
    place: Arc<TempDir>,
    directory: Directory,
    closing: tokio::sync::watch::Sender<bool>,
    server: actix_web::dev::ServerHandle,
    /// Where its metrics are besides the socket.
    pub(crate) metrics: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// With the services `web`, active, and `mail`, which learns.
    pub(crate) fn start() -> Served {
        Served::start_in(Arc::new(tempfile::tempdir().unwrap()))
    }

    /// Ended and started anew, with what is on disk.
    pub(crate) fn restarted(mut self) -> Served {
        self.end();
        Served::start_in(Arc::clone(&self.place))
    }

    fn start_in(place: Arc<TempDir>) -> Served {
        let at = place.path().to_owned();
        let (ready, started) = mpsc::channel();
        let run = move || {
            System::new().block_on(async {
                let directory = actors_at(&at);
                let socket = at.join("api.sock");
                let Api { server, closing } =
                    api::serve(&socket, directory.clone(), Default::default(), StartAnew::default()).unwrap();
                let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
                let metrics = api::serve_metrics(port, directory.clone()).unwrap();
                let handle = metrics.handle();
                actix::spawn(metrics);
                ready.send((directory, closing, server.handle(), port)).unwrap();
                server.await.unwrap();
                handle.stop(false).await;
            });
        };
        let thread = Some(std::thread::spawn(run));
        let (directory, closing, server, metrics) = started.recv().unwrap();
        Served { place, directory, closing, server, metrics, thread }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.place.path().join("api.sock")
    }

    /// A path for whatever the test needs.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Puts a record into the trail.
    pub(crate) fn put(&self, record: Record) {
        let audit = self.directory.audit().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(audit.send(Put(Box::new(record)))).unwrap().unwrap();
    }

    /// Has it count a refusal, as if the kernel had told it.
    pub(crate) fn decided(&self) {
        let event = Decoder::new(|| None).decode(&[0; RECORD], Ring::Violations);
        self.directory.decisions().event(&event.unwrap());
    }

    /// Ends it as the daemon does; how long that took.
    pub(crate) fn end(&mut self) -> std::time::Duration {
        let since = std::time::Instant::now();
        let _ = self.closing.send(true);
        // It is sent by the call; the answer is that the thread ends.
        drop(self.server.stop(true));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        since.elapsed()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.end();
    }
}

fn actors_at(at: &Path) -> Directory {
    let kernel = Remembering::but(|_| false);
    let (directory, root, _) = remembering::start(at, Policy::default(), &kernel);
    let notice = |name: &str| ExitNotice::new(name, root.clone());
    AuditLog::open(
        &at.join("audit"),
        &AuditSettings::default(),
        &at.join("rules"),
        1,
        directory.clone(),
        notice("audit"),
    )
    .unwrap()
    .run();
    let (mut web, mut mail) = (Model::new("web", 7), Model::new("mail", 7));
    web.observe("here", ("SHELL", Access::Execute), ("/usr/bin/web", "/usr/bin/dash"), 5, Seen::Later);
    web.observe("here", ("NET", Access::Connect), ("/usr/bin/web", "/run/\u{1b}[2Jodd"), 5, Seen::Later);
    web.state = State::Active;
    mail.state = State::Manual;
    let terms = Config::default().terms;
    let registry = Registry::new(directory.clone(), ModelStore::new(at.join("models")), terms, notice("registry"));
    registry.run(BTreeMap::from([("web".to_owned(), web), ("mail".to_owned(), mail)]));
    directory
}

/// A refusal of the service `web`, at this minute of 2026-11-28.
pub(crate) fn refusal(minute: u32, capability: &str, path: &str) -> Record {
    let message = format!("Service web attempted to obtain capability {capability} by writing {path}");
    Record {
        time: format!("2026-11-28T12:{minute:02}:00.000Z").into(),
        service: Some("web".into()),
        capability: Some(capability.into()),
        capabilities: vec![capability.into()],
        access: Some(Access::Write),
        verdict: Some("deny".into()),
        path: Some(path.into()),
        exe: Some("/usr/bin/web".into()),
        pid: Some(7),
        uid: Some(0),
        rule: Some("web servers".into()),
        ..Record::plain(Kind::Capability, message)
    }
}

#[test]
#[ignore = "it serves until it is killed, for vmtests/contract-test.sh"]
fn serve() {
    let served = Served::start();
    served.put(refusal(1, "SSH", "/x"));
    println!("\nsocket {}", served.socket().display());
    loop {
        std::thread::park();
    }
}
