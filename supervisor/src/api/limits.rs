//! What a request may be like: how large, and how it is told that it is not.

use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError};
use actix_web::http::StatusCode;
use actix_web::{Error, HttpRequest, web};

use super::refusal::Refusal;

/// Largest request in JSON: all policy files together.
pub(super) const REQUEST_MAX: usize = 8 << 20;
/// Largest import; more comes in several, as joining twice does no harm.
pub(super) const IMPORT_MAX: usize = 16 << 20;

pub(super) fn all(config: &mut web::ServiceConfig) {
    config
        .app_data(web::JsonConfig::default().limit(REQUEST_MAX).error_handler(of_json))
        .app_data(web::PayloadConfig::new(IMPORT_MAX))
        .app_data(web::QueryConfig::default().error_handler(of_query))
        .app_data(web::PathConfig::default().error_handler(of_path));
}

fn of_json(error: JsonPayloadError, _: &HttpRequest) -> Error {
    match error {
        JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => {
            Refusal::too_large(REQUEST_MAX)
        }
        JsonPayloadError::ContentType => Refusal::media("expected the content type application/json".to_owned()),
        other => Refusal::unreadable(format!("the request cannot be read: {other}")),
    }
    .into()
}

fn of_query(error: QueryPayloadError, _: &HttpRequest) -> Error {
    Refusal::unreadable(format!("the query cannot be read: {error}")).into()
}

fn of_path(error: PathError, request: &HttpRequest) -> Error {
    Refusal::missing(format!("there is nothing at {}: {error}", request.path())).into()
}

/// Of a body that is taken as it is.
pub(super) fn of_body(error: &Error) -> Refusal {
    match error.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::too_large(IMPORT_MAX),
        _ => Refusal::unreadable(format!("the request cannot be read: {error}")),
    }
}
