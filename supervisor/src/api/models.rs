//! Models: shown, moved from state to state, exported, imported.

use std::collections::BTreeMap;

use actix::Addr;
use actix_web::{HttpRequest, HttpResponse, web};
use actors::assemble;
use actors::clock;
use actors::directory::Directory;
use actors::learner::Learner;
use actors::messages::{Enter, Find, Import, Models, NotImported, Show, ShowMaturity, ShowState};
use policy::baseline;
use policy::export::Export;
use policy::maturity::Maturity;
use policy::model::{Model, State};
use serde::Deserialize;

use super::refusal::Refusal;
use super::{Imported, ModelStatus, ServiceStatus, caller, etag, limits};
use crate::nearest::did_you_mean;

const REGISTRY: &str = "the registry";
const LEARNER: &str = "the learner";

type Shared = web::Data<Directory>;
type Body = Result<web::Bytes, actix_web::Error>;
type Outcome = Result<HttpResponse, Refusal>;

async fn models(directory: &Directory) -> Result<Vec<Model>, Refusal> {
    let registry = directory.registry().ok_or_else(|| Refusal::unavailable(REGISTRY))?;
    registry.send(Models).await.map_err(|_| Refusal::unavailable(REGISTRY))
}

/// A service's name as everything else has it.
pub(super) fn plain(name: &str) -> &str {
    name.strip_suffix(".service").unwrap_or(name)
}

/// The learner of a service, or what the name may have meant.
pub(super) async fn learner(directory: &Directory, name: &str) -> Result<Addr<Learner>, Refusal> {
    let registry = directory.registry().ok_or_else(|| Refusal::unavailable(REGISTRY))?;
    let name = plain(name);
    let found = registry.send(Find(name.to_owned())).await.map_err(|_| Refusal::unavailable(REGISTRY))?;
    let unknown = || {
        let known = directory.learners();
        let near = did_you_mean(name, known.keys().map(String::as_str));
        let list = if near.is_empty() { "; `bartizan services` lists those that are known" } else { "" };
        format!("there is no service {name}{near}{list}")
    };
    found.ok_or_else(|| Refusal::missing(unknown()))
}

/// Services whose models do not count yet.
pub(super) async fn learning(directory: &Directory) -> BTreeMap<String, Maturity> {
    let mut found = BTreeMap::new();
    for (name, learner) in directory.learners() {
        if let Ok(State::Learning | State::Manual) = learner.send(ShowState).await
            && let Ok(maturity) = learner.send(ShowMaturity).await
        {
            found.insert(name, maturity);
        }
    }
    found
}

/// Services that learn and are held, and for how many seconds more at the least.
pub(super) async fn held(directory: &Directory) -> BTreeMap<String, u64> {
    let holds = directory.holds();
    let mut found = BTreeMap::new();
    for (name, learner) in directory.learners() {
        if let Some(left) = holds.left(&name)
            && let Ok(State::Learning | State::Manual) = learner.send(ShowState).await
        {
            found.insert(name, left.as_secs().saturating_add(1));
        }
    }
    found
}

pub(super) async fn services(directory: Shared) -> Outcome {
    let learners = directory.learners();
    let mut all = Vec::new();
    for model in models(&directory).await? {
        let maturity = match learners.get(&model.service) {
            Some(learner) => learner.send(ShowMaturity).await.unwrap_or_default(),
            None => Maturity::default(),
        };
        all.push(ServiceStatus {
            maturity,
            state: model.state.name().to_owned(),
            granted: model
                .grants()
                .into_iter()
                .map(|(name, accesses)| (name, accesses.into_iter().collect()))
                .collect(),
            since: clock::rfc3339(model.since).into(),
            name: model.service,
        });
    }
    Ok(HttpResponse::Ok().json(all))
}

pub(super) async fn show(request: HttpRequest, directory: Shared, name: web::Path<String>) -> Outcome {
    let learner = learner(&directory, &name).await?;
    let model = learner.send(Show).await.map_err(|_| Refusal::unavailable(LEARNER))?;
    let maturity = learner.send(ShowMaturity).await.map_err(|_| Refusal::unavailable(LEARNER))?;
    let answer = ModelStatus {
        state: model.state.name().to_owned(),
        since: clock::rfc3339(model.since).into(),
        maturity,
        baseline_from: baseline::known_from(&model.service).map(|known_from| known_from.to_string()),
        baseline: baseline::grants(&model.service),
        baseline_at_start: baseline::at_start(&model.service),
        at_start: assemble::service_model(&model).at_start,
        service: model.service,
        granted: model.granted,
        programs: model.programs,
    };
    etag::answer(&request, &answer)
}

pub(super) async fn activate(request: HttpRequest, directory: Shared, name: web::Path<String>) -> Outcome {
    enter(&request, &directory, &name, "activate", State::Active).await
}

pub(super) async fn learn(request: HttpRequest, directory: Shared, name: web::Path<String>) -> Outcome {
    enter(&request, &directory, &name, "learn", State::Learning).await
}

pub(super) async fn manual(request: HttpRequest, directory: Shared, name: web::Path<String>) -> Outcome {
    enter(&request, &directory, &name, "learn --manual", State::Manual).await
}

pub(super) async fn relearn(request: HttpRequest, directory: Shared, name: web::Path<String>) -> Outcome {
    enter(&request, &directory, &name, "relearn", State::Learning).await
}

async fn enter(request: &HttpRequest, directory: &Directory, name: &str, what: &'static str, state: State) -> Outcome {
    let by = caller::may_write(request, directory, what).await.map_err(Refusal::forbidden)?;
    let learner = learner(directory, name).await?;
    match learner.send(Enter { state, by }).await {
        Ok(Ok(())) => Ok(HttpResponse::NoContent().finish()),
        Ok(Err(error)) => Err(Refusal::failed(vec![error])),
        Err(_) => Err(Refusal::unavailable(LEARNER)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportQuery {
    /// Every service where nothing is given.
    service: Option<String>,
}

pub(super) async fn export(request: HttpRequest, directory: Shared, query: web::Query<ExportQuery>) -> Outcome {
    let models = match &query.service {
        None => models(&directory).await?,
        Some(name) => {
            vec![learner(&directory, name).await?.send(Show).await.map_err(|_| Refusal::unavailable(LEARNER))?]
        }
    };
    let text = Export::of(&models).text().map_err(|error| Refusal::failed(vec![error]))?;
    Ok(etag::text(&request, text))
}

pub(super) async fn import_models(request: HttpRequest, directory: Shared, body: Body) -> Outcome {
    let by = caller::may_write(&request, &directory, "model import").await.map_err(Refusal::forbidden)?;
    let body = body.map_err(|error| limits::of_body(&error))?;
    let text = std::str::from_utf8(&body).map_err(|error| Refusal::wrong(vec![format!("it is no text: {error}")]))?;
    let export = Box::new(Export::parse(text).map_err(|error| Refusal::wrong(vec![error]))?);
    let registry = directory.registry().ok_or_else(|| Refusal::unavailable(REGISTRY))?;
    let imported = registry.send(Import { export, by }).await.map_err(|_| Refusal::unavailable(REGISTRY))?;
    let gained = imported.map_err(not_imported)?;
    Ok(HttpResponse::Ok().json(Imported { gained }))
}

fn not_imported(why: NotImported) -> Refusal {
    match why {
        NotImported::Wrong(problems) => Refusal::wrong(problems),
        NotImported::Failed(problems) => Refusal::failed(problems),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;
    use actix_web::http::StatusCode;

    use super::*;

    #[test]
    fn a_full_disk_is_no_bad_input() {
        let status = |why| not_imported(why).status_code();
        assert_eq!(status(NotImported::Wrong(Vec::new())), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(status(NotImported::Failed(Vec::new())), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
