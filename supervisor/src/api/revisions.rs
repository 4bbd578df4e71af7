//! The policy: applied, confirmed, taken back, shown.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use actors::directory::Directory;
use actors::messages::{
    Applied, Apply, Compare, Confirm, Explain, GiveLeave, History, Revert, ShowHistory, ShowRevision,
};
use actors::revision_store::Head;
use policy::access::Access;
use serde::Deserialize;

use super::refusal::Refusal;
use super::{ApplyRequest, HistoryAnswer, PermissiveRequest, RevisionStatus, RollbackRequest, caller};

pub(super) fn all(config: &mut web::ServiceConfig) {
    config
        .route("/v1/policy", web::post().to(apply))
        .route("/v1/policy", web::get().to(in_force))
        .route("/v1/policy/history", web::get().to(history))
        .route("/v1/policy/diff", web::post().to(diff))
        .route("/v1/policy/confirm", web::post().to(confirm))
        .route("/v1/policy/rollback", web::post().to(rollback))
        .route("/v1/policy/{number}", web::get().to(one))
        .route("/v1/explain", web::get().to(explain))
        .route("/v1/simulate", web::post().to(super::simulation::simulate))
        .route("/v1/services/{name}/permissive", web::post().to(permissive));
}

type Shared = web::Data<Directory>;
type Keeper = actix::Addr<actors::policy_keeper::PolicyKeeper>;
type Outcome = Result<HttpResponse, Refusal>;

const KEEPER: &str = "the policy keeper";

pub(super) fn keeper(directory: &Directory) -> Result<Keeper, Refusal> {
    directory.keeper().ok_or_else(|| Refusal::unavailable(KEEPER))
}

/// Who asks, if he may change anything, and the keeper.
async fn writer(request: &HttpRequest, directory: &Directory, what: &'static str) -> Result<(String, Keeper), Refusal> {
    let by = caller::may_write(request, directory, what).await.map_err(Refusal::forbidden)?;
    Ok((by, keeper(directory)?))
}

/// A mailbox's answer; problems are the caller's to mend.
pub(super) fn answered<T>(answer: Result<Result<T, Vec<String>>, actix::MailboxError>) -> Result<T, Refusal> {
    answer.map_err(|_| Refusal::unavailable(KEEPER))?.map_err(Refusal::wrong)
}

fn one_line<T>(result: Result<T, String>) -> Result<T, Vec<String>> {
    result.map_err(|error| vec![error])
}

fn numbered(number: u64) -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "revision": number }))
}

fn applied(done: Applied) -> HttpResponse {
    HttpResponse::Ok().json(done)
}

async fn apply(request: HttpRequest, directory: Shared, body: web::Json<ApplyRequest>) -> Outcome {
    let (by, keeper) = writer(&request, &directory, "policy apply").await?;
    let ApplyRequest { files, why, confirm } = body.into_inner();
    let apply = Apply { files, by, why, back_to: None, confirm: confirm.map(Duration::from_secs) };
    answered(keeper.send(apply).await).map(applied)
}

async fn confirm(request: HttpRequest, directory: Shared) -> Outcome {
    let (by, keeper) = writer(&request, &directory, "policy confirm").await?;
    answered(keeper.send(Confirm { by }).await).map(numbered)
}

/// A new revision of the files of an old one, or the end of one that waits to be confirmed.
async fn rollback(request: HttpRequest, directory: Shared, body: web::Json<RollbackRequest>) -> Outcome {
    let (by, keeper) = writer(&request, &directory, "policy rollback").await?;
    let RollbackRequest { revision, why } = body.into_inner();
    let Some(number) = revision else {
        return answered(keeper.send(Revert { by: Some(by) }).await).map(numbered);
    };
    let earlier = answered(keeper.send(ShowRevision(Some(number))).await.map(one_line))?;
    let apply = Apply { files: earlier.files, by, why, back_to: Some(number), confirm: None };
    answered(keeper.send(apply).await).map(applied)
}

async fn in_force(directory: Shared) -> Outcome {
    shown(&directory, None).await
}

async fn one(directory: Shared, number: web::Path<u64>) -> Outcome {
    shown(&directory, Some(*number)).await
}

async fn shown(directory: &Directory, number: Option<u64>) -> Outcome {
    let revision = answered(keeper(directory)?.send(ShowRevision(number)).await.map(one_line))?;
    Ok(HttpResponse::Ok().json(revision))
}

async fn history(directory: Shared) -> Outcome {
    let answer = keeper(&directory)?.send(ShowHistory).await;
    let History { revisions, wrong, in_force, pending } = answer.map_err(|_| Refusal::unavailable(KEEPER))?;
    let state = |number| match pending {
        Some((waiting, _)) if waiting == number => "waits to be confirmed",
        _ if number == in_force => "in force",
        _ => "earlier",
    };
    let revisions = revisions.into_iter().map(|one| status(state(one.number), one)).collect();
    let seconds_to_confirm = pending.map(|(_, left)| left);
    Ok(HttpResponse::Ok().json(HistoryAnswer { revisions, wrong, seconds_to_confirm }))
}

fn status(state: &str, one: Head) -> RevisionStatus {
    let Head { number, digest, time, by, why, back_to, files } = one;
    RevisionStatus { number, state: state.to_owned(), time, by, why, back_to, digest, files }
}

async fn diff(directory: Shared, body: web::Json<ApplyRequest>) -> Outcome {
    let differences = answered(keeper(&directory)?.send(Compare { files: body.into_inner().files }).await)?;
    Ok(HttpResponse::Ok().json(differences))
}

async fn permissive(
    request: HttpRequest,
    directory: Shared,
    name: web::Path<String>,
    body: web::Json<PermissiveRequest>,
) -> Outcome {
    let (by, keeper) = writer(&request, &directory, "permissive").await?;
    let service = name.strip_suffix(".service").unwrap_or(&name).to_owned();
    let time = (body.seconds > 0).then(|| Duration::from_secs(body.seconds));
    answered(keeper.send(GiveLeave { service, time, by }).await.map(one_line))?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExplainQuery {
    service: String,
    access: Access,
    object: String,
}

async fn explain(directory: Shared, query: web::Query<ExplainQuery>) -> Outcome {
    let ExplainQuery { service, access, object } = query.into_inner();
    let service = service.strip_suffix(".service").unwrap_or(&service).to_owned();
    let explanation = answered(keeper(&directory)?.send(Explain { service, access, object }).await)?;
    Ok(HttpResponse::Ok().json(explanation))
}
