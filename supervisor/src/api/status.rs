//! Whether the kernel enforces what it should, read back from it for each answer.

use actix_web::{HttpResponse, web};
use actors::clock;
use actors::directory::Directory;
use actors::messages::{Attest, Held, ReadBackNow, RevisionNumber, Services, ShowHeldBack, ShowLeave};
use bpf::kernel::Hook;

use super::refusal::{failed, unavailable};
use super::{Attestation, HookStatus, MapStatus, Status, caller, models, running_kernel};

type Shared = web::Data<Directory>;

pub(super) async fn revision_number(directory: &Directory) -> u64 {
    match directory.keeper() {
        Some(keeper) => keeper.send(RevisionNumber).await.unwrap_or(0),
        None => 0,
    }
}

fn hooks(hooks: Vec<Hook>) -> Vec<HookStatus> {
    let status =
        |hook: Hook| HookStatus { name: hook.name, program: hook.program, attached: hook.attached, tag: hook.tag };
    hooks.into_iter().map(status).collect()
}

pub(super) async fn attest(directory: Shared) -> HttpResponse {
    let revision = revision_number(&directory).await;
    let (held, maps) = match directory.kernel() {
        None => {
            let mut held = Held::default();
            held.read_back.differences.push("enforcement is switched off, and the kernel was not asked".to_owned());
            (held, Vec::new())
        }
        Some(link) => match link.send(Attest).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return failed(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR, vec![error]),
            Err(_) => return unavailable("the kernel link"),
        },
    };
    let differences = held.read_back.differences;
    HttpResponse::Ok().json(Attestation {
        time: clock::rfc3339(clock::now_ms()).into(),
        host: actors::host::name(),
        kernel: running_kernel(),
        object: bpf::load::object_digest(),
        revision,
        agrees: differences.is_empty(),
        hooks: hooks(held.read_back.hooks),
        maps: maps
            .into_iter()
            .map(|map| MapStatus { name: map.name, entries: map.entries, digest: map.digest })
            .collect(),
        differences,
    })
}

pub(super) async fn status(directory: Shared) -> HttpResponse {
    let revision = revision_number(&directory).await;
    let Some(link) = directory.kernel() else {
        let on_loss = Some(directory.holds().on_loss().name().to_owned());
        return HttpResponse::Ok().json(Status { on_loss, ..Status::without_kernel("disabled", revision) });
    };
    let held = match link.send(ReadBackNow).await {
        Ok(Ok(held)) => held,
        Ok(Err(error)) => {
            let mut held = Held::default();
            held.read_back.differences.push(format!("reading back failed: {error}"));
            held
        }
        Err(_) => return unavailable("the kernel link"),
    };
    if held.off {
        return unavailable("enforcement was switched off, and bartizand, which is about to start anew,");
    }
    let started_earlier = match link.send(Services).await {
        Ok(Ok(services)) => services
            .into_iter()
            .filter(|service| service.started_earlier && service.running && service.name != caller::OWN_SERVICE)
            .map(|service| service.name)
            .collect(),
        _ => Vec::new(),
    };
    let enforcement = if held.read_back.differences.is_empty() { "enforcing" } else { "degraded" }.to_owned();
    HttpResponse::Ok().json(Status {
        enforcement,
        switched_off: None,
        revision,
        kernel: running_kernel(),
        hooks: hooks(held.read_back.hooks),
        loss: held.loss,
        on_loss: Some(directory.holds().on_loss().name().to_owned()),
        held: models::held(&directory).await,
        differences: held.read_back.differences,
        started_earlier,
        held_back: match directory.keeper() {
            Some(keeper) => keeper.send(ShowHeldBack).await.unwrap_or_default(),
            None => std::collections::BTreeMap::new(),
        },
        permissive: match directory.keeper() {
            Some(keeper) => keeper.send(ShowLeave).await.unwrap_or_default(),
            None => std::collections::BTreeMap::new(),
        },
        learning: models::learning(&directory).await,
    })
}
