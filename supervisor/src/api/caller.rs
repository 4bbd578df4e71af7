//! Who asks.

use std::any::Any;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net::UnixStream;
use actors::directory::Directory;
use actors::messages::ServiceOf;
use bpf::process::Process;

/// The service that systemd runs `ExecReload=` in.
pub(super) const OWN_SERVICE: &str = "bartizand";

/// The service of every user's manager.
const USER_MANAGER: &str = "user@";

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

/// Whether the caller may change anything; otherwise why not. The label of its task counts, not its cgroup, which it
/// could have left.
pub(super) async fn may_write(request: &HttpRequest, directory: &Directory) -> Result<String, String> {
    let Some(caller) = request.conn_data::<Caller>() else {
        return Err("the caller's credentials cannot be read".to_owned());
    };
    if caller.uid != 0 {
        return Err("only root may change anything; members of group bartizan may read".to_owned());
    }
    let Some(process) = caller.process.clone() else {
        return Err("the caller has ended, or is not in this pid namespace".to_owned());
    };
    let pid = process.pid();
    let Some(kernel) = directory.kernel() else {
        return Ok(format!("root (pid {pid})"));
    };
    match kernel.send(ServiceOf(process)).await.map_err(|error| error.to_string())? {
        Ok(None) => Ok(format!("root (pid {pid})")),
        // A desktop's terminal is a child of its user's manager, and no session of its own.
        Ok(Some(service)) if service == USER_MANAGER => Ok(format!("root (pid {pid}, below a user's manager)")),
        Ok(Some(service)) if service == OWN_SERVICE => Ok("bartizand.service".to_owned()),
        Ok(Some(service)) => Err(format!(
            "the caller belongs to the service {service}, and services may not change what is enforced: use a login session"
        )),
        Err(error) => Err(format!("it cannot be told which service the caller belongs to: {error}")),
    }
}
