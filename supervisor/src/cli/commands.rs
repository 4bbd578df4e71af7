//! Every command. `--help`, the completions of shells and the man pages are made of this.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use super::audits::AuditsArguments;
use super::examples;
use super::models::ModelCommand;
use super::revisions::PolicyCommand;
use crate::paths;

/// Bartizan: what each service may do, learned and enforced.
#[derive(Parser)]
#[command(name = "bartizan", version, after_help = examples::ALL, max_term_width = 80)]
pub struct Arguments {
    /// Answer in JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Whether the kernel enforces the policy, read back from it
    ///
    /// Ends with 1 unless it does.
    #[command(after_help = examples::STATUS)]
    Status,
    /// Read programs, links and maps from the kernel and compare them with the revision
    ///
    /// Ends with 1 if they differ.
    #[command(after_help = examples::ATTEST)]
    Attest,
    /// Every service that is known, and where it stands
    #[command(after_help = examples::SERVICES)]
    Services,
    /// The model of a service
    #[command(after_help = examples::SHOW)]
    Show {
        /// The service, with or without .service
        service: String,
    },
    /// End a service's learning: its model counts when this returns
    #[command(after_help = examples::ACTIVATE)]
    Activate {
        /// The service
        service: String,
    },
    /// Let a service learn, on top of what it knows
    #[command(after_help = examples::LEARN)]
    Learn {
        /// The service
        service: String,
        /// Until `bartizan activate`: it does not become active by itself
        #[arg(long)]
        manual: bool,
    },
    /// Let a service learn again, on top of what it knows
    #[command(after_help = examples::RELEARN)]
    Relearn {
        /// The service
        service: String,
    },
    /// What models know, from host to host
    #[command(subcommand, after_help = examples::MODEL)]
    Model(ModelCommand),
    /// Rules
    #[command(subcommand, after_help = examples::POLICY)]
    Policy(PolicyCommand),
    /// What would become of an act, and why
    ///
    /// Ends with 1 if it would be refused.
    #[command(after_help = examples::EXPLAIN)]
    Explain {
        /// The service
        service: String,
        /// execute, read, write, connect or operate
        access: String,
        /// A path, an operation such as mount, or for connect an address and port such as 203.0.113.7:25
        object: String,
    },
    /// What policy files would have refused of all that services are known to have done
    ///
    /// Ends with 1 if that is something.
    #[command(after_help = examples::SIMULATE)]
    Simulate {
        /// A file, or a directory of *.toml
        #[arg(long, default_value = paths::POLICY)]
        policy: PathBuf,
        /// Only what was done since then, such as 7d
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
    /// Refuse a service nothing for a while, and record what would have been refused
    #[command(after_help = examples::PERMISSIVE)]
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
    #[command(after_help = examples::AUDITS, args_conflicts_with_subcommands = true)]
    Audits(AuditsArguments),
    /// End enforcement, from a login session: until `bartizan on`, over every restart
    #[command(after_help = examples::OFF)]
    Off {
        /// Only until the next boot
        #[arg(long)]
        until_reboot: bool,
    },
    /// Enforce again after `bartizan off`; returns when the kernel holds the revision
    #[command(after_help = examples::ON)]
    On,
    /// Have units do what they must not, and show that the kernel refused it
    ///
    /// Ends with 1 if something was not refused.
    #[command(after_help = examples::SELFTEST)]
    Selftest,
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
    ///
    /// Ends with 3 if this machine cannot enforce.
    #[command(after_help = examples::DOCTOR)]
    Doctor,
    /// Print what lets a shell complete these commands
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write man pages and completions into a directory, for packages
    #[command(hide = true)]
    Manual {
        /// The directory
        directory: PathBuf,
    },
}
