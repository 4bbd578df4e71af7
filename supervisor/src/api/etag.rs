//! Entity tags (RFC 9110, 8.8.3): who has an answer already is not given it again.

use actix_web::http::header::{CacheControl, CacheDirective, ETag, EntityTag, IfNoneMatch};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::refusal::Refusal;

/// Bytes of the digest that make a tag.
const BYTES: usize = 16;

/// An answer with its tag, or 304 where the caller has it.
pub(super) fn answer(request: &HttpRequest, answer: &impl Serialize) -> Result<HttpResponse, Refusal> {
    let text = serde_json::to_string(answer).map_err(|error| Refusal::failed(vec![error.to_string()]))?;
    Ok(self::text(request, text))
}

/// The same of an answer that is JSON already.
pub(super) fn text(request: &HttpRequest, text: String) -> HttpResponse {
    let digest = Sha256::digest(text.as_bytes());
    let tag = EntityTag::new_strong(digest.iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect());
    let known = match request.get_header::<IfNoneMatch>() {
        Some(IfNoneMatch::Any) => true,
        Some(IfNoneMatch::Items(tags)) => tags.iter().any(|one| one.weak_eq(&tag)),
        None => false,
    };
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header(ETag(tag)).insert_header(CacheControl(vec![CacheDirective::NoCache]));
    if known { response.finish() } else { response.content_type("application/json").body(text) }
}
