//! Where bytes of others come in: requests of the API, files of models and their exports, files of policies, records of the
//! kernel's rings, whose names are those of others. Whatever they are,
//! nothing may panic, and what is taken has to mean the same when it is written and read again. The targets of cargo-fuzz and
//! the test that replays their corpora go through the same doors.

use std::cell::RefCell;

use actix_web::http::{Method, Uri};
use actix_web::{App, rt::System, test};
use actors::assemble;
use actors::directory::Directory;
use actors::record::Record;
use actors::revision_store::PolicyFile;
use bpf::event::Event;
use bpf::stream::{Decoder, Names, RECORD, Ring, VERSION_1};
use policy::capability::{Bits, names_of};
use policy::compile::{Input, compile};
use policy::export::Export;
use policy::host::BareHost;
use policy::model::Model;
use sha2::{Digest as _, Sha256};
use supervisor::api::{Followers, StartAnew, surface};
use tokio::sync::watch;

/// A request: its method and target on the first line, the body behind. Nobody is there to be asked, so that a request that can be
/// read is answered with that.
pub(crate) fn api(bytes: &[u8]) {
    let (head, body) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[][..]),
    };
    let Ok(head) = std::str::from_utf8(head) else { return };
    let Some((method, target)) = head.split_once(' ') else { return };
    let (Ok(method), Ok(target)) = (Method::from_bytes(method.as_bytes()), target.parse::<Uri>()) else { return };
    // What actix-http would not hand on.
    if !target.path().starts_with('/') {
        return;
    }
    let body = body.to_vec();
    System::new().block_on(async move {
        let (_open, closing) = watch::channel(false);
        let surface = surface(Directory::default(), Default::default(), StartAnew::default(), Followers::new(closing));
        let service = test::init_service(App::new().configure(surface)).await;
        let request = test::TestRequest::with_uri(&target.to_string()).method(method);
        let request = request.insert_header(("content-type", "application/json")).set_payload(body);
        let answer = test::call_service(&service, request.to_request()).await;
        let status = answer.status();
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        assert!(!status.is_client_error() || kind.starts_with("application/json"), "{status} without a sentence");
        assert_ne!(status.as_u16(), 500, "nobody was asked, so nothing can have failed");
    });
}

/// A file of a model, one whose checksum is right whatever it holds, and an export.
pub(crate) fn model(bytes: &[u8]) {
    let mut files = vec![bytes.to_vec()];
    for format in [1_u32, 2] {
        let head = [&b"BZMD"[..], &format.to_le_bytes(), &Sha256::digest(bytes)].concat();
        files.push([&head, bytes].concat());
    }
    for file in files {
        if let Ok(model) = Model::decode(&file, "here") {
            let again = model.encode().ok().and_then(|file| Model::decode(&file, "there").ok());
            assert_eq!(again, Some(model));
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(export) = Export::parse(text)
    {
        let written = export.text().expect("what was read can be written");
        assert_eq!(Export::parse(&written), Ok(export));
    }
}

/// A record of a ring, as it is and filled up to its length: the observation of a service, and what was refused to it.
pub(crate) fn event(bytes: &[u8]) {
    type Numbers = fn() -> Option<Names>;
    thread_local! {
        static DECODER: RefCell<Decoder<Numbers>> = RefCell::new(Decoder::new(|| Some([(7, "web".to_owned())].into())));
    }
    let mut whole = bytes.to_vec();
    whole.resize(RECORD.max(bytes.len()), 0);
    for (record, ring) in [(bytes, Ring::Violations), (&whole[..], Ring::Observations), (&whole[..], Ring::Violations)]
    {
        let Some(event) = DECODER.with_borrow_mut(|decoder| decoder.decode(record, ring)) else { continue };
        assert!(record.len() >= VERSION_1, "nothing is made of a part of a record");
        let act = match event {
            Event::Violation(act) | Event::Observation(act) => act,
            Event::ServiceSeen { service } => {
                assert!(service.len() < RECORD && !service.contains('\0'), "{service:?}");
                continue;
            }
        };
        let record = Record::of_act(&act, None, names_of(act.capabilities, &Bits::new()).map(Into::into).collect());
        let printed = [Some(&record.message), record.path.as_ref(), record.exe.as_ref()];
        for text in printed.into_iter().flatten() {
            assert!(!text.chars().any(char::is_control) && text.len() < 16 * RECORD, "{text:?}");
        }
        let text = serde_json::to_string(&record).expect("a record is JSON");
        assert_eq!(serde_json::from_str::<Record>(&text).expect("and is read again"), record);
    }
}

/// A file of rules, and what it compiles to.
pub(crate) fn policy(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let files = [PolicyFile { path: "fuzz.toml".to_owned(), text: text.to_owned() }];
    match assemble::policy(&files, &Bits::new()) {
        Ok(policy) => {
            // One that does not fit is refused, which is no panic.
            let _ = compile(&Input { policy: &policy, services: &[], own: &[] }, &BareHost);
            let _ = policy::check::findings(&policy, 0, "here", None);
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "a refusal says why");
            let lines = text.lines().count().max(1) + 1;
            assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.place.line)), "{problems:?}");
        }
    }
}
