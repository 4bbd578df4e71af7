//! Audit records: page by page, and as they come.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{CACHE_CONTROL, LINK};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use actors::directory::Directory;
use actors::messages::FindRecords;
use actors::record::Record;
use actors::selection::{KINDS, Selection};
use jiff::Timestamp;
use policy::capability::{Catalogue, is_programs};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::models::plain;
use super::refusal::Refusal;
use crate::nearest::did_you_mean;

/// Most records in one answer.
const PAGE_MAX: usize = 10_000;
/// How many may follow at a time.
const FOLLOWERS_MAX: usize = 16;
/// How often it is looked for new records while somebody follows.
const AGAIN: Duration = Duration::from_millis(500);
/// A connection on which nothing was said for so long gets a comment, which shows who is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

type Outcome = Result<HttpResponse, Refusal>;

/// Room for those who follow, and whether the daemon is about to end.
#[derive(Clone, Debug)]
pub struct Followers {
    seats: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl Followers {
    /// Room for [`FOLLOWERS_MAX`], who are let go of when this becomes true.
    pub fn new(closing: watch::Receiver<bool>) -> Followers {
        Followers { seats: Arc::new(Semaphore::new(FOLLOWERS_MAX)), closing }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditsQuery {
    after: Option<u64>,
    service: Option<String>,
    /// Several with commas between them.
    capability: Option<String>,
    verdict: Option<String>,
    /// Several with commas between them.
    kind: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    newest: bool,
}

impl AuditsQuery {
    /// What it asks for, or everything that is wrong with it.
    fn selection(&self, directory: &Directory) -> Result<Selection, Refusal> {
        let mut wrong = Vec::new();
        let words = |text: &Option<String>| -> Vec<String> {
            text.iter().flat_map(|text| text.split(',')).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let own = directory.bits();
        let known = || Catalogue::builtin().iter().map(|one| one.name.as_str()).chain(own.keys().map(String::as_str));
        let capabilities = words(&self.capability);
        for name in capabilities.iter().filter(|name| !is_programs(name) && known().all(|known| known != name.as_str()))
        {
            wrong.push(format!("there is no capability {name}{}", did_you_mean(name, known())));
        }
        let mut kinds = Vec::new();
        for word in words(&self.kind) {
            match KINDS.iter().find(|(name, _)| *name == word) {
                Some((_, kind)) => kinds.push(*kind),
                None => {
                    wrong.push(format!("kind: expected one of {}: `{word}`", KINDS.map(|(name, _)| name).join(", ")))
                }
            }
        }
        if let Some(verdict) = self.verdict.as_deref().filter(|verdict| !["deny", "audit"].contains(verdict)) {
            wrong.push(format!("verdict: expected deny or audit: `{verdict}`"));
        }
        if let Some(limit) = self.limit.filter(|limit| !(1..=PAGE_MAX).contains(limit)) {
            wrong.push(format!("limit: expected 1 to {PAGE_MAX}: `{limit}`"));
        }
        let mut time = |name: &str, text: &Option<String>| {
            let parsed = text.as_ref().map(|text| text.parse::<Timestamp>().map_err(|_| text));
            parsed.transpose().unwrap_or_else(|text| {
                wrong.push(format!("{name}: expected a time of RFC 3339, such as 2026-11-28T12:00:00Z: `{text}`"));
                None
            })
        };
        let (since, until) = (time("since", &self.since), time("until", &self.until));
        if !wrong.is_empty() {
            return Err(Refusal::wrong(wrong));
        }
        let service = self.service.as_deref().map(|name| plain(name).to_owned());
        Ok(Selection { service, capabilities, verdict: self.verdict.clone(), kinds, since, until })
    }
}

/// Records that were found, and the id after which the next are.
struct Found {
    records: Vec<Record>,
    seen: u64,
}

/// The first so many after an id that are wanted; with `newest` the last so many.
async fn find(
    directory: &Directory,
    wanted: &Selection,
    after: u64,
    limit: usize,
    newest: bool,
) -> Result<Found, Refusal> {
    const AUDIT: &str = "the audit log";
    let audit = directory.audit().ok_or_else(|| Refusal::unavailable(AUDIT))?;
    let asked = FindRecords { wanted: wanted.clone(), after, limit, newest };
    let records = audit.send(asked).await.map_err(|_| Refusal::unavailable(AUDIT))?;
    let records = records.map_err(|error| Refusal::failed(vec![error]))?;
    Ok(Found { seen: records.last().map_or(after, |last| last.id), records })
}

pub(super) async fn audits(
    request: HttpRequest,
    directory: web::Data<Directory>,
    query: web::Query<AuditsQuery>,
) -> Outcome {
    let wanted = query.selection(&directory)?;
    let limit = query.limit.unwrap_or(PAGE_MAX);
    let found = find(&directory, &wanted, query.after.unwrap_or(0), limit, query.newest).await?;
    let mut answer = HttpResponse::Ok();
    if let Some(last) = found.records.last().filter(|_| !query.newest && found.records.len() == limit) {
        let others = request.query_string().split('&').filter(|part| !part.is_empty() && !part.starts_with("after="));
        let others: String = others.map(|part| format!("&{part}")).collect();
        answer.insert_header((LINK, format!("</v1/audits?after={}{others}>; rel=\"next\"", last.id)));
    }
    Ok(answer.json(found.records))
}

/// Somebody who follows.
struct Following {
    directory: web::Data<Directory>,
    wanted: Selection,
    after: u64,
    closing: watch::Receiver<bool>,
    said: Instant,
    _seat: OwnedSemaphorePermit,
}

/// Server-Sent Events: each record as `data`, with its id as the event's.
pub(super) async fn stream(
    request: HttpRequest,
    directory: web::Data<Directory>,
    query: web::Query<AuditsQuery>,
    followers: web::Data<Followers>,
) -> Outcome {
    let wanted = query.selection(&directory)?;
    let seat = followers.seats.clone().try_acquire_owned();
    let seat = seat.map_err(|_| Refusal::busy(format!("{FOLLOWERS_MAX} follow already, the most that may")))?;
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let after = match last.or(query.after) {
        Some(after) => after,
        // What was before is not asked for.
        None => find(&directory, &wanted, 0, 1, true).await?.seen,
    };
    let closing = followers.closing.clone();
    let following = Following { directory, wanted, after, closing, said: Instant::now(), _seat: seat };
    let first =
        futures_util::stream::once(async { Ok::<Bytes, actix_web::Error>(Bytes::from_static(b": following\n\n")) });
    let rest = futures_util::stream::unfold(following, Following::next);
    let events = futures_util::StreamExt::chain(first, rest);
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/event-stream").insert_header((CACHE_CONTROL, "no-store"));
    Ok(answer.streaming(Box::pin(events)))
}

impl Following {
    /// The next piece of the answer; nothing when the daemon ends or cannot read its records.
    async fn next(mut self) -> Option<(Result<Bytes, actix_web::Error>, Following)> {
        while !*self.closing.borrow() {
            let found = find(&self.directory, &self.wanted, self.after, PAGE_MAX, false).await.ok()?;
            self.after = found.seen;
            let text: String = found.records.iter().filter_map(event).collect();
            if !text.is_empty() || self.said.elapsed() >= KEEP_ALIVE {
                self.said = Instant::now();
                let text = if text.is_empty() { ": nothing new\n\n".to_owned() } else { text };
                return Some((Ok(Bytes::from(text)), self));
            }
            tokio::select! {
                changed = self.closing.changed() => changed.ok()?,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
        None
    }
}

fn event(record: &Record) -> Option<String> {
    let text = serde_json::to_string(record).ok()?;
    Some(format!("id: {}\nevent: audit\ndata: {text}\n\n", record.id))
}
