//! Who asks.

use std::any::Any;
use std::sync::Arc;

use actix_web::dev::Extensions;
use actix_web::rt::net::UnixStream;
use actix_web::{HttpRequest, web};
use actors::assemble::Operators;
use actors::directory::Directory;
use actors::messages::{Refused, ServiceOf};
use bpf::process::Process;

/// The service that systemd runs `ExecReload=` in.
pub(super) const OWN_SERVICE: &str = "bartizand";

/// The process at the other end.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    uid: u32,
    process: Option<Arc<Process>>,
}

/// Keeps the peer's credentials with the connection.
pub(super) fn remember(connection: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<UnixStream>()
        && let Ok(credentials) = stream.peer_cred()
    {
        let pid = credentials.pid().and_then(|pid| u32::try_from(pid).ok());
        let process = pid.and_then(|pid| Process::of_peer(stream, pid).ok()).map(Arc::new);
        data.insert(Caller { uid: credentials.uid(), process });
    }
}

/// Whether the caller may change anything, and who it is; otherwise why not. The label of its task counts, not its cgroup,
/// which it could have left. `what` it asks for goes on record when a service is refused.
pub(super) async fn may_write(
    request: &HttpRequest,
    directory: &Directory,
    what: &'static str,
) -> Result<String, String> {
    let Some(caller) = request.conn_data::<Caller>() else {
        return Err("the caller's credentials cannot be read".to_owned());
    };
    let Some(process) = caller.process.clone() else {
        return Err("the caller has ended, or is not in this pid namespace".to_owned());
    };
    let pid = process.pid();
    let service = match directory.kernel() {
        // Nothing is enforced, so nobody is labelled.
        None => None,
        Some(kernel) => kernel
            .send(ServiceOf(process))
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| format!("it cannot be told which service the caller belongs to: {error}"))?,
    };
    let Some(by) = trusted(service.as_deref(), pid, request.app_data::<web::Data<Operators>>()) else {
        let service = service.unwrap_or_default();
        let why = format!(
            "the caller belongs to the service {service}, and services may not change what is enforced: use a login session, \
             or name the service under `operators` in {}",
            crate::paths::CONFIGURATION
        );
        refused(directory, Refused { service, what, exe: exe(pid), pid, uid: caller.uid });
        return Err(why);
    };
    if caller.uid != 0 {
        return Err("only root may change anything; members of group bartizan may read".to_owned());
    }
    Ok(by)
}

/// The caller in words, if what it is labelled with may write.
fn trusted(service: Option<&str>, pid: u32, operators: Option<&web::Data<Operators>>) -> Option<String> {
    match service {
        None => Some(format!("root (pid {pid})")),
        Some(OWN_SERVICE) => Some("bartizand.service".to_owned()),
        Some(service) => {
            let named = operators.is_some_and(|operators| operators.contains(service));
            named.then(|| format!("the operator {service}.service (pid {pid})"))
        }
    }
}

fn exe(pid: u32) -> Option<String> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok().map(|path| path.display().to_string())
}

fn refused(directory: &Directory, refused: Refused) {
    tracing::warn!("service {} asked for `{}` and was refused", refused.service, refused.what);
    if let Some(audit) = directory.audit()
        && let Err(error) = audit.try_send(refused)
    {
        tracing::error!("an audit record was lost ({error})");
    }
}
