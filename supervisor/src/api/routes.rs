//! The whole API on one page: what can be asked, and what answers. `openapi.json` describes it; a test compares the two.

use actix_web::dev::ResourceDef;
use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};

use super::refusal::Refusal;
use super::{audits, metrics, models, openapi, revisions, simulation, status, switching};

macro_rules! table {
    ($($method:ident $path:literal => $handler:path;)*) => {
        /// Every method and path.
        pub(super) const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        /// Enters them.
        pub(super) fn all(config: &mut web::ServiceConfig) {
            config$(.route($path, web::$method().to($handler)))*.default_service(web::to(nothing));
        }
    };
}

table! {
    get "/openapi.json" => openapi::document;
    get "/metrics" => metrics::metrics;
    get "/v1/status" => status::status;
    get "/v1/attest" => status::attest;
    get "/v1/services" => models::services;
    get "/v1/services/{name}" => models::show;
    post "/v1/services/{name}/activate" => models::activate;
    post "/v1/services/{name}/learn" => models::learn;
    post "/v1/services/{name}/manual" => models::manual;
    post "/v1/services/{name}/relearn" => models::relearn;
    post "/v1/services/{name}/permissive" => revisions::permissive;
    get "/v1/models" => models::export;
    post "/v1/models/import" => models::import_models;
    get "/v1/audits" => audits::audits;
    get "/v1/audits/stream" => audits::stream;
    post "/v1/policy" => revisions::apply;
    get "/v1/policy" => revisions::in_force;
    get "/v1/policy/history" => revisions::history;
    post "/v1/policy/diff" => revisions::diff;
    post "/v1/policy/confirm" => revisions::confirm;
    post "/v1/policy/rollback" => revisions::rollback;
    get "/v1/policy/{number:[0-9]+}" => revisions::one;
    get "/v1/explain" => revisions::explain;
    post "/v1/simulate" => simulation::simulate;
    post "/v1/off" => switching::off;
    post "/v1/on" => switching::on;
}

/// What answers where no route does.
async fn nothing(request: HttpRequest) -> HttpResponse {
    let path = request.path();
    let at = ROUTES.iter().filter(|(_, pattern)| ResourceDef::new(*pattern).is_match(path));
    let methods: Vec<String> = at.map(|(method, _)| method.to_uppercase()).collect();
    if methods.is_empty() {
        return Refusal::missing(format!("there is nothing at {path}; /openapi.json lists what there is"))
            .error_response();
    }
    let methods = methods.join(", ");
    let mut answer =
        Refusal::method(format!("{} is not for {path}, but {methods} is", request.method())).error_response();
    if let Ok(value) = methods.parse() {
        answer.headers_mut().insert(ALLOW, value);
    }
    answer
}
