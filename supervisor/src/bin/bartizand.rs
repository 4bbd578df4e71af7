//! The daemon.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use actors::messages::{Retire, Sign};
use clap::Parser as _;
use supervisor::daemon::Arguments;
use supervisor::start::StartError;
use supervisor::{CANNOT, GOOD, api, config, early, logging, paths, start, switch};
use tokio::signal::unix::{SignalKind, signal};

/// Exit status when the daemon could not start or an actor could not be kept running; systemd starts it again.
const GAVE_UP: u8 = 4;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match config::read(&arguments.config) {
        Ok(config) => config,
        // A mistake in it must not leave a boot without enforcement; the daemon tells it.
        Err(_) if arguments.early => config::Config::default(),
        Err(error) => {
            eprintln!("bartizand: {error}");
            return ExitCode::from(supervisor::BAD_INPUT);
        }
    };
    if let Err(error) = logging::start(config.log_level) {
        eprintln!("bartizand: {error}");
    }
    if !nix::unistd::geteuid().is_root() {
        return cannot("bartizand has to run as root: only root may load programs into the kernel");
    }
    let off = switch::disabled();
    match (arguments.early, off) {
        (true, Some(_)) => ExitCode::from(GOOD),
        (true, None) => {
            match early::run(&config) {
                Ok(done) => tracing::info!("{done}"),
                // The boot goes on, and the daemon tries again with all its means.
                Err(error) => tracing::error!("nothing is enforced before the daemon starts: {error}"),
            }
            ExitCode::from(GOOD)
        }
        (false, off) => run(&config, off),
    }
}

fn run(config: &config::Config, off: Option<String>) -> ExitCode {
    if let Some(why) = &off {
        tracing::error!("ENFORCEMENT IS SWITCHED OFF: {why}");
        if let Err(error) = bpf::enforcement::detach() {
            tracing::error!("what an earlier start pinned cannot be taken away: {error}");
        }
    }
    // It allocates a little here and there, and where the kernel hands out huge pages each of them would be held whole.
    if let Err(error) = nix::sys::prctl::set_thp_disable(true) {
        tracing::warn!("more memory is held than is needed: {error}");
    }
    let system = actix::System::new();
    let started = system.block_on(async {
        let directory = start::start(config, off.is_none()).await?;
        let anew = api::StartAnew::default();
        let api::Api { server, closing } =
            api::serve(Path::new(paths::SOCKET), directory.clone(), config.operators.clone(), anew.clone())?;
        let served = server.handle();
        let mut metrics = None;
        actix::spawn(server);
        if let Some(address) = config.metrics {
            // What is enforced does not depend on whether somebody else has the port.
            match api::serve_metrics(address, directory.clone()) {
                Ok(server) => {
                    metrics = Some(server.handle());
                    actix::spawn(server);
                }
                Err(error) => tracing::error!("{error}; they are on {} as well", paths::SOCKET),
            }
        }
        let stop = wait(anew).map_err(|error| format!("signals cannot be awaited: {error}"))?;
        actix::spawn(async move {
            stop.await;
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
            let _ = closing.send(true);
            served.stop(true).await;
            // Who reads metrics keeps connections open, and has nothing under way that matters.
            if let Some(metrics) = metrics {
                metrics.stop(false).await;
            }
            if let Some(audit) = directory.audit()
                && let Ok(Err(error)) = audit.send(Sign).await
            {
                tracing::error!("{error}");
            }
            if let Some(root) = directory.root() {
                // Without an answer it has gone already, which is as well.
                let _ = root.send(Retire).await;
            }
            actix::System::current().stop();
        });
        // Outside systemd there is nobody to notify.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        Ok::<(), StartError>(())
    });
    match started {
        Ok(()) => {}
        Err(StartError::Unsupported(error)) => return cannot(&error),
        Err(StartError::Failed(error)) => {
            tracing::error!("bartizand cannot start: {error}; what is pinned in the kernel stays in force");
            return ExitCode::from(GAVE_UP);
        }
    }
    match system.run_with_code() {
        Ok(0) => {
            tracing::info!("bartizand ends; what is pinned in the kernel stays in force");
            ExitCode::from(GOOD)
        }
        Ok(_) | Err(_) => ExitCode::from(GAVE_UP),
    }
}

/// Resolves when the daemon is asked to end.
fn wait(anew: api::StartAnew) -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = anew.0.notified() => tracing::info!("the switch was turned: bartizand ends, to be started anew"),
        }
    })
}

fn cannot(error: &str) -> ExitCode {
    eprintln!(
        "bartizand cannot enforce anything on this machine and ends: {error}. Nothing has been changed. \
         `bartizan doctor` checks each requirement and says how to meet it."
    );
    ExitCode::from(CANNOT)
}
