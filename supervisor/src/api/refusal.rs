//! Why a request has no good answer: one line per problem.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

use super::Failure;

/// A status and the problems.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    problems: Vec<String>,
}

impl Refusal {
    /// The caller may not.
    pub(super) fn forbidden(why: String) -> Refusal {
        Refusal { status: StatusCode::FORBIDDEN, problems: vec![why] }
    }

    /// What was asked for is wrong.
    pub(super) fn wrong(problems: Vec<String>) -> Refusal {
        Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, problems }
    }

    /// There is no such thing.
    pub(super) fn missing(problem: String) -> Refusal {
        Refusal { status: StatusCode::NOT_FOUND, problems: vec![problem] }
    }

    /// It cannot be read as a request of the API.
    pub(super) fn unreadable(why: String) -> Refusal {
        Refusal { status: StatusCode::BAD_REQUEST, problems: vec![why] }
    }

    /// The path is there for other methods.
    pub(super) fn method(problem: String) -> Refusal {
        Refusal { status: StatusCode::METHOD_NOT_ALLOWED, problems: vec![problem] }
    }

    /// Its body is no JSON.
    pub(super) fn media(problem: String) -> Refusal {
        Refusal { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, problems: vec![problem] }
    }

    /// It is larger than what is taken: so many bytes.
    pub(super) fn too_large(limit: usize) -> Refusal {
        let problem = format!("the request is larger than {limit} bytes ({} MiB), the most that is taken", limit >> 20);
        Refusal { status: StatusCode::PAYLOAD_TOO_LARGE, problems: vec![problem] }
    }

    /// There is no room for it now.
    pub(super) fn busy(problem: String) -> Refusal {
        Refusal { status: StatusCode::SERVICE_UNAVAILABLE, problems: vec![problem] }
    }

    /// It was tried and failed.
    pub(super) fn failed(problems: Vec<String>) -> Refusal {
        Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, problems }
    }

    /// An actor does not answer.
    pub(super) fn unavailable(what: &str) -> Refusal {
        let problem = format!("{what} does not answer; see the journal");
        Refusal { status: StatusCode::SERVICE_UNAVAILABLE, problems: vec![problem] }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.problems.join("; "))
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        failed(self.status, self.problems.clone())
    }
}

pub(super) fn failed(status: StatusCode, problems: Vec<String>) -> HttpResponse {
    HttpResponse::build(status).json(Failure { problems })
}

pub(super) fn unavailable(what: &str) -> HttpResponse {
    Refusal::unavailable(what).error_response()
}
