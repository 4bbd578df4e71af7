//! `bartizan off` and `bartizan on`: the daemon leaves or takes away the file that every start looks for, and starts anew.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use actors::directory::Directory;
use actors::messages::Detach;
use actors::record::Kind;
use tokio::sync::Notify;

use super::refusal::{failed, unavailable};
use super::{OffRequest, Switched, caller};
use crate::switch;

/// Asks the daemon to end, so that systemd starts it anew; an answer that is under way still gets out.
#[derive(Clone, Debug, Default)]
pub struct StartAnew(pub Arc<Notify>);

pub(super) async fn off(
    request: HttpRequest,
    directory: web::Data<Directory>,
    anew: web::Data<StartAnew>,
    body: web::Json<OffRequest>,
) -> HttpResponse {
    let by = match caller::may_write(&request, &directory, "off").await {
        Ok(by) => by,
        Err(why) => return failed(StatusCode::FORBIDDEN, vec![why]),
    };
    let cannot = |why: String| failed(StatusCode::INTERNAL_SERVER_ERROR, vec![why]);
    // First of all, so that a start after whatever goes wrong below does not enforce again.
    let how_long = match switch::turn_off(&by, body.until_reboot) {
        Ok(how_long) => how_long,
        Err(error) => return cannot(format!("{error}; nothing was switched off")),
    };
    // Where it was off already, only the file is new.
    if let Some(kernel) = directory.kernel() {
        match kernel.send(Detach).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return cannot(error),
            Err(_) => return unavailable("the kernel link"),
        }
        let message = format!("Enforcement was switched OFF by {by}, {how_long}");
        tracing::error!("{message}");
        directory.tell(Kind::Lifecycle, None, message);
        anew.0.notify_one();
    }
    HttpResponse::Ok().json(Switched { by, how_long: how_long.to_owned() })
}

pub(super) async fn on(
    request: HttpRequest,
    directory: web::Data<Directory>,
    anew: web::Data<StartAnew>,
) -> HttpResponse {
    let by = match caller::may_write(&request, &directory, "on").await {
        Ok(by) => by,
        Err(why) => return failed(StatusCode::FORBIDDEN, vec![why]),
    };
    if let Err(why) = switch::turn_on() {
        return failed(StatusCode::INTERNAL_SERVER_ERROR, vec![why]);
    }
    // Where enforcement was not off, there is nothing to start anew.
    if directory.kernel().is_none() {
        directory.tell(Kind::Lifecycle, None, format!("Enforcement was switched on by {by}"));
        anew.0.notify_one();
    }
    HttpResponse::Ok().json(Switched { by, how_long: "until `bartizan off`".to_owned() })
}
