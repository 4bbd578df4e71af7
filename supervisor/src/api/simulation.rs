//! What other policy files would have refused of all that is known to have been done.

use actix_web::{HttpResponse, web};
use actors::directory::Directory;
use actors::messages::{FindRecords, Models, Simulate};
use actors::selection::Selection;
use actors::{clock, deeds};
use policy::simulate::Deed;

use super::refusal::Refusal;
use super::revisions::{answered, keeper};
use super::{SimulateRequest, Simulation};

pub(super) async fn simulate(
    directory: web::Data<Directory>,
    body: web::Json<SimulateRequest>,
) -> Result<HttpResponse, Refusal> {
    let SimulateRequest { files, since } = body.into_inner();
    let ago = since.and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1000));
    let since = ago.map_or(0, |ago| clock::now_ms().saturating_sub(ago));
    let mut deeds = of_models(&directory, since).await?;
    deeds.extend(of_records(&directory, since).await?);
    let number = deeds.iter().map(|deed| deed.count).sum();
    let refused = answered(keeper(&directory)?.send(Simulate { files, deeds }).await)?;
    Ok(HttpResponse::Ok().json(Simulation { deeds: number, refused }))
}

async fn of_models(directory: &Directory, since: i64) -> Result<Vec<Deed>, Refusal> {
    let registry = directory.registry().ok_or_else(|| Refusal::unavailable("the registry"))?;
    let models = registry.send(Models).await.map_err(|_| Refusal::unavailable("the registry"))?;
    Ok(models.iter().flat_map(|model| deeds::of_model(model, since)).collect())
}

async fn of_records(directory: &Directory, since: i64) -> Result<Vec<Deed>, Refusal> {
    const AUDIT: &str = "the audit log";
    let audit = directory.audit().ok_or_else(|| Refusal::unavailable(AUDIT))?;
    let wanted = Selection { since: jiff::Timestamp::from_millisecond(since).ok(), ..Selection::default() };
    let asked = audit.send(FindRecords { wanted, after: 0, limit: usize::MAX, newest: false }).await;
    let records = asked.map_err(|_| Refusal::unavailable(AUDIT))?.map_err(|error| Refusal::wrong(vec![error]))?;
    Ok(records.iter().filter_map(deeds::of_record).collect())
}
