//! Why a request has no good answer: one line per problem.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

use super::routes::failed;

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
