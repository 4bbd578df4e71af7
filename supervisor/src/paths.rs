//! Where everything is.

/// The configuration.
pub const CONFIGURATION: &str = "/etc/bartizan/bartizan.toml";
/// Policy files of the operator.
pub const POLICY: &str = "/etc/bartizan/policy.d";
/// Its existence starts the daemon without enforcement.
pub const DISABLED: &str = "/etc/bartizan/disabled";
/// The same until the next boot.
pub const DISABLED_UNTIL_REBOOT: &str = "/run/bartizan/disabled";
/// Models, one file per service.
pub const MODELS: &str = "/var/lib/bartizan/models";
/// Revisions.
pub const REVISIONS: &str = "/var/lib/bartizan/revisions";
/// Services that are refused nothing for a while.
pub const PERMISSIVE: &str = "/var/lib/bartizan/permissive.json";
/// Where services are that are not where systemd puts them by itself.
pub const SLICES: &str = "/var/lib/bartizan/slices.json";
/// The audit trail.
pub const AUDIT: &str = "/var/lib/bartizan/audit";
/// Names of rules by generation.
pub const GENERATIONS: &str = "/run/bartizan/generations.json";
/// The API.
pub const SOCKET: &str = "/run/bartizan/api.sock";
