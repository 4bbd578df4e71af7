//! The server on the Unix socket, and one for metrics alone on a loopback address.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use actors::assemble::Operators;
use actors::directory::Directory;
use nix::unistd::{Group, chown};
use tokio::sync::watch;

use super::audits::Followers;
use super::{GROUP, StartAnew, caller, limits, metrics, routes};

/// Most connections at a time; those that come later wait.
const CONNECTIONS_MAX: usize = 256;

/// A server that the caller runs.
pub struct Api {
    /// The server.
    pub server: Server,
    /// Set to true when the daemon is about to end: who follows is let go of, and the server ends at once.
    pub closing: watch::Sender<bool>,
}

/// The whole API, for whatever serves it.
pub fn surface(
    directory: Directory,
    operators: Operators,
    anew: StartAnew,
    followers: Followers,
) -> impl FnOnce(&mut web::ServiceConfig) + Clone {
    move |config| {
        config
            .app_data(web::Data::new(directory))
            .app_data(web::Data::new(operators))
            .app_data(web::Data::new(anew))
            .app_data(web::Data::new(followers))
            .configure(limits::all)
            .configure(routes::all);
    }
}

/// Binds the socket and returns the server.
pub fn serve(socket: &Path, directory: Directory, operators: Operators, anew: StartAnew) -> Result<Api, String> {
    let told = |error: std::io::Error| format!("{}: {error}", socket.display());
    if let Some(parent) = socket.parent() {
        fs::create_dir_all(parent).map_err(told)?;
    }
    let _ = fs::remove_file(socket);
    let listener = UnixListener::bind(socket).map_err(told)?;
    admit(socket).map_err(told)?;
    let (closing, closed) = watch::channel(false);
    let surface = surface(directory, operators, anew, Followers::new(closed));
    let server = HttpServer::new(move || App::new().configure(surface.clone()))
        .workers(1)
        .max_connections(CONNECTIONS_MAX)
        .disable_signals()
        .on_connect(caller::remember)
        // Not bind_uds: in actix-web 4.18 it forgets on_connect, and with it who asks.
        .listen_uds(listener)
        .map_err(told)?
        .run();
    Ok(Api { server, closing })
}

/// A server for metrics and nothing else, where whoever is on this machine may ask.
pub fn serve_metrics(address: SocketAddr, directory: Directory) -> Result<Server, String> {
    let server = HttpServer::new(move || {
        App::new().app_data(web::Data::new(directory.clone())).route("/metrics", web::get().to(metrics::metrics))
    })
    .workers(1)
    .max_connections(CONNECTIONS_MAX)
    .disable_signals()
    .bind(address)
    .map_err(|error| format!("metrics on {address}: {error}"))?
    .run();
    Ok(server)
}

/// Root and the group may connect; nobody else.
fn admit(socket: &Path) -> std::io::Result<()> {
    if let Ok(Some(group)) = Group::from_name(GROUP) {
        chown(socket, None, Some(group.gid))?;
    }
    fs::set_permissions(socket, fs::Permissions::from_mode(0o660))
}
