//! The command line.

mod audits;
mod check;
mod client;
mod explain;
mod model_table;
mod models;
pub mod policy_files;
mod resolve;
mod revisions;
mod simulate;
mod suggest;
mod switching;
mod tables;
mod verify;

use clap::{Parser, Subcommand};
use hyper::Method;

pub(crate) use crate::api::Status;
use crate::api::{Attestation, ModelStatus, ServiceStatus};
use crate::{CANNOT, FINDING, GOOD, doctor, paths, selftest};
pub(crate) use client::Trouble;
use client::{Answer, ask};

/// Bartizan: what each service may do, learned and enforced.
///
/// Exit status: 0 good, 1 a finding, 2 wrong usage or input, 3 the system cannot do it or the daemon does not run.
#[derive(Parser)]
#[command(name = "bartizan", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Whether the kernel enforces the policy, read back from it
    Status {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Read programs, links and maps from the kernel and compare them with the revision (1: they differ)
    Attest {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Every service that is known, and where it stands
    Services {
        /// A JSON array
        #[arg(long)]
        json: bool,
    },
    /// The model of a service
    Show {
        /// The service, with or without .service
        service: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// End a service's learning: its model counts when this returns
    Activate {
        /// The service
        service: String,
    },
    /// Let a service learn, on top of what it knows
    Learn {
        /// The service
        service: String,
        /// Until `bartizan activate`: it does not become active by itself
        #[arg(long)]
        manual: bool,
    },
    /// Let a service learn again, on top of what it knows
    Relearn {
        /// The service
        service: String,
    },
    /// What models know, from host to host
    #[command(subcommand)]
    Model(models::ModelCommand),
    /// Rules
    #[command(subcommand)]
    Policy(revisions::PolicyCommand),
    /// What would become of an act, and why (1: it would be refused)
    Explain {
        /// The service
        service: String,
        /// execute, read, write, connect or operate
        access: String,
        /// A path, or the name of an operation such as mount
        object: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// What policy files would have refused of all that services are known to have done (1: something)
    Simulate {
        /// A file, or a directory of *.toml
        #[arg(long, default_value = paths::POLICY)]
        policy: std::path::PathBuf,
        /// Only what was done since then, such as 7d
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Refuse a service nothing for a while, and record what would have been refused
    Permissive {
        /// The service
        service: String,
        /// For how long, such as 30m: it ends by itself, with the next boot at the latest
        #[arg(long = "for", value_name = "TIME", required_unless_present = "end")]
        time: Option<String>,
        /// End it now
        #[arg(long, conflicts_with = "time")]
        end: bool,
    },
    /// What was denied and recorded
    #[command(args_conflicts_with_subcommands = true)]
    Audits {
        #[command(subcommand)]
        command: Option<verify::AuditsCommand>,
        /// Only this service
        #[arg(long)]
        service: Option<String>,
        /// Wait for more
        #[arg(long)]
        follow: bool,
        /// The change of the policy that would permit the act of this record, as a diff
        #[arg(long, value_name = "ID", conflicts_with_all = ["service", "follow", "json"])]
        suggest: Option<u64>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// End enforcement, from a login session: until `bartizan on`, over every restart
    Off {
        /// Only until the next boot
        #[arg(long)]
        until_reboot: bool,
    },
    /// Enforce again after `bartizan off`; returns when the kernel holds the revision
    On,
    /// Have units do what they must not, and show that the kernel refused it (1: something was not refused)
    Selftest {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// What runs inside the units of the self-test
    #[command(hide = true)]
    SelftestAct {
        /// The group of acts
        group: String,
        /// A process outside the unit
        target: u32,
        /// Hooks in use
        hooks: Vec<String>,
    },
    /// Check what enforcement needs from this machine (needs no daemon)
    Doctor {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Runs a command; the number is the exit status.
pub fn run(arguments: &Arguments) -> u8 {
    let outcome = match &arguments.command {
        Command::Status { json } => status(*json),
        Command::Attest { json } => attest(*json),
        Command::Services { json } => services(*json),
        Command::Show { service, json } => show(service, *json),
        Command::Activate { service } => enter(service, "activate"),
        Command::Learn { service, manual: true } => enter(service, "manual"),
        Command::Learn { service, manual: false } => enter(service, "learn"),
        Command::Model(command) => command.run(),
        Command::Relearn { service } => enter(service, "relearn"),
        Command::Policy(command) => command.run(),
        Command::Explain { service, access, object, json } => explain::explain(service, access, object, *json),
        Command::Simulate { policy, since, json } => simulate::simulate(policy, since.as_deref(), *json),
        Command::Permissive { service, time, end } => revisions::permissive(service, time.as_deref(), *end),
        Command::Audits { command: Some(command), .. } => command.run(),
        Command::Audits { suggest: Some(id), .. } => suggest::suggest(*id),
        Command::Audits { service, follow, json, .. } => audits::print(service.as_deref(), *follow, *json),
        Command::Off { until_reboot } => switching::off(*until_reboot),
        Command::On => switching::on(),
        Command::Selftest { json } => selftest::run(*json),
        Command::SelftestAct { group, target, hooks } => return selftest::act(group, *target, hooks),
        Command::Doctor { json } => return doctor::run(*json),
    };
    match outcome {
        Ok(status) => status,
        Err(trouble) => {
            trouble.lines.iter().for_each(|line| eprintln!("bartizan: {line}"));
            trouble.status
        }
    }
}

fn get<T: serde::de::DeserializeOwned>(path: &str) -> Result<(T, String), Trouble> {
    let Answer { text } = ask(Method::GET, path, None)?;
    let value = serde_json::from_str(&text)
        .map_err(|error| Trouble::new(CANNOT, format!("the daemon's answer cannot be read: {error}")))?;
    Ok((value, text))
}

/// What the daemon says about enforcement.
pub(crate) fn daemon_status() -> Result<Status, Trouble> {
    get("/v1/status").map(|(status, _)| status)
}

/// Every record of a service after an id.
pub(crate) fn records_of(service: &str, after: u64) -> Result<Vec<actors::record::Record>, Trouble> {
    get(&format!("/v1/audits?after={after}&service={}", client::encode(service))).map(|(records, _)| records)
}

fn status(json: bool) -> Result<u8, Trouble> {
    let (status, text): (Status, String) = match get("/v1/status") {
        Ok(answer) => answer,
        Err(trouble) if trouble.status == CANNOT && bpf::load::probe().is_err_and(|error| error.is_final()) => {
            let status = Status::without_kernel("unsupported", 0);
            print_status(&status, &serde_json::to_string(&status).unwrap_or_default(), json);
            return Err(Trouble {
                lines: vec!["this machine cannot enforce, see `bartizan doctor`".to_owned()],
                ..trouble
            });
        }
        Err(trouble) => return Err(trouble),
    };
    print_status(&status, &text, json);
    Ok(if status.enforcement == "enforcing" { GOOD } else { FINDING })
}

fn print_status(status: &Status, text: &str, json: bool) {
    if json { println!("{text}") } else { tables::status(status) }
}

fn attest(json: bool) -> Result<u8, Trouble> {
    let (attestation, text): (Attestation, String) = get("/v1/attest")?;
    if json {
        println!("{text}")
    } else {
        tables::attestation(&attestation)
    }
    Ok(if attestation.agrees { GOOD } else { FINDING })
}

fn services(json: bool) -> Result<u8, Trouble> {
    let (services, text): (Vec<ServiceStatus>, String) = get("/v1/services")?;
    if json {
        println!("{text}")
    } else {
        tables::services(&services)
    }
    Ok(GOOD)
}

fn show(service: &str, json: bool) -> Result<u8, Trouble> {
    let (model, text): (ModelStatus, String) = get(&format!("/v1/services/{}", client::encode(service)))?;
    if json {
        println!("{text}")
    } else {
        model_table::print(&model)
    }
    Ok(GOOD)
}

fn enter(service: &str, what: &str) -> Result<u8, Trouble> {
    ask(Method::POST, &format!("/v1/services/{}/{what}", client::encode(service)), None)?;
    println!("{service}: {what} done, and the kernel holds it");
    Ok(GOOD)
}
