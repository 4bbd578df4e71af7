//! The policy: applied, confirmed, taken back, shown.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use actors::directory::Directory;
use actors::messages::{
    Applied, Apply, Compare, Confirm, Explain, GiveLeave, History, Revert, ShowHistory, ShowRevision,
};
use actors::revision_store::{Head, Revision};
use policy::access::Access;
use serde::Deserialize;

use super::refusal::Refusal;
use super::{ApplyRequest, HistoryAnswer, PermissiveRequest, RevisionStatus, RollbackRequest, caller, etag, models};

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

pub(super) async fn apply(request: HttpRequest, directory: Shared, body: web::Json<ApplyRequest>) -> Outcome {
    let (by, keeper) = writer(&request, &directory, "policy apply").await?;
    let ApplyRequest { files, why, confirm } = body.into_inner();
    let apply = Apply { files, by, why, back_to: None, confirm: confirm.map(Duration::from_secs) };
    answered(keeper.send(apply).await).map(applied)
}

pub(super) async fn confirm(request: HttpRequest, directory: Shared) -> Outcome {
    let (by, keeper) = writer(&request, &directory, "policy confirm").await?;
    answered(keeper.send(Confirm { by }).await).map(numbered)
}

/// A new revision of the files of an old one, or the end of one that waits to be confirmed.
pub(super) async fn rollback(request: HttpRequest, directory: Shared, body: web::Json<RollbackRequest>) -> Outcome {
    let (by, keeper) = writer(&request, &directory, "policy rollback").await?;
    let RollbackRequest { revision, why } = body.into_inner();
    let Some(number) = revision else {
        return answered(keeper.send(Revert { by: Some(by) }).await).map(numbered);
    };
    let earlier = kept(&directory, Some(number)).await?;
    let apply = Apply { files: earlier.files, by, why, back_to: Some(number), confirm: None };
    answered(keeper.send(apply).await).map(applied)
}

pub(super) async fn in_force(request: HttpRequest, directory: Shared) -> Outcome {
    shown(&request, &directory, None).await
}

pub(super) async fn one(request: HttpRequest, directory: Shared, number: web::Path<u64>) -> Outcome {
    shown(&request, &directory, Some(*number)).await
}

/// A revision, or that there is none of this number.
async fn kept(directory: &Directory, number: Option<u64>) -> Result<Revision, Refusal> {
    let keeper = keeper(directory)?;
    let shown = answered(keeper.send(ShowRevision(number)).await.map(one_line));
    if let (Err(_), Some(number)) = (&shown, number) {
        let History { revisions, wrong, .. } =
            keeper.send(ShowHistory).await.map_err(|_| Refusal::unavailable(KEEPER))?;
        // What cannot be read is told as it is: one of those may be meant.
        if wrong.is_empty() && revisions.iter().all(|one| one.number != number) {
            let list = "`bartizan policy history` lists those that are kept";
            return Err(Refusal::missing(format!("there is no revision {number}; {list}")));
        }
    }
    shown
}

async fn shown(request: &HttpRequest, directory: &Directory, number: Option<u64>) -> Outcome {
    let revision = kept(directory, number).await?;
    etag::answer(request, &revision)
}

pub(super) async fn history(directory: Shared) -> Outcome {
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

pub(super) async fn diff(directory: Shared, body: web::Json<ApplyRequest>) -> Outcome {
    let differences = answered(keeper(&directory)?.send(Compare { files: body.into_inner().files }).await)?;
    Ok(HttpResponse::Ok().json(differences))
}

pub(super) async fn permissive(
    request: HttpRequest,
    directory: Shared,
    name: web::Path<String>,
    body: web::Json<PermissiveRequest>,
) -> Outcome {
    let (by, keeper) = writer(&request, &directory, "permissive").await?;
    let service = models::plain(&name).to_owned();
    if body.seconds > 0 {
        // The keeper would refuse it as well, and knows no name that is meant.
        models::learner(&directory, &service).await?;
    }
    let time = (body.seconds > 0).then(|| Duration::from_secs(body.seconds));
    answered(keeper.send(GiveLeave { service, time, by }).await.map(one_line))?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainQuery {
    service: String,
    access: Access,
    object: String,
}

pub(super) async fn explain(directory: Shared, query: web::Query<ExplainQuery>) -> Outcome {
    let ExplainQuery { service, access, object } = query.into_inner();
    let service = models::plain(&service).to_owned();
    models::learner(&directory, &service).await?;
    let explanation = answered(keeper(&directory)?.send(Explain { service, access, object }).await)?;
    Ok(HttpResponse::Ok().json(explanation))
}
