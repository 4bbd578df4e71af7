//! `bartizan.toml`: every key is documented in docs/configuration.md.

mod sinks;
mod trail;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use actors::assemble::Operators;
use actors::audit_log::AuditSettings;
use actors::terms::Terms;
use jiff::SignedDuration;
use policy::maturity::{Graduation, Phase};
use policy::place::Place;
use serde::Deserialize;
use toml::Spanned;

/// The daemon's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How services learn, and when their models count.
    pub terms: Terms,
    /// What the journal gets: `error`, `warn`, `info` or `debug`.
    pub log_level: log::LevelFilter,
    /// Services that may upgrade Bartizan, write its files and use the API for writing.
    pub operators: Operators,
    /// How large and how old the audit trail and the store for queries may grow, and where else records go.
    pub audit: AuditSettings,
    /// Where metrics are besides the API's socket: an address of the loopback device.
    pub metrics: Option<SocketAddr>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            terms: learning(Duration::from_secs(24 * 3600)),
            log_level: log::LevelFilter::Info,
            operators: Operators::new(),
            audit: AuditSettings::default(),
            metrics: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    learning_time: Option<Spanned<String>>,
    quiet_time: Option<Spanned<String>>,
    steady_time: Option<Spanned<String>>,
    start_time: Option<Spanned<String>>,
    phases: Option<Vec<Spanned<String>>>,
    archive_after: Option<Spanned<String>>,
    log_level: Option<Spanned<String>>,
    #[serde(default)]
    operators: Vec<Spanned<String>>,
    #[serde(default)]
    audit: trail::Raw,
    #[serde(default)]
    sink: Vec<sinks::Raw>,
    metrics: Option<Spanned<String>>,
}

/// Reads a configuration; a missing file is the default one. Errors carry file, line and column.
pub fn read(path: &Path) -> Result<Config, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&path.display().to_string(), &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Config::default()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn parse(file: &str, text: &str) -> Result<Config, String> {
    let raw: Raw = toml::from_str(text).map_err(|error| {
        let place = Place::at(file, text, error.span().map_or(0, |span| span.start));
        format!("{place}: {}", error.message())
    })?;
    let wrong = |at: &Spanned<String>, expected: &str| {
        format!("{}: expected {expected}: `{}`", Place::at(file, text, at.span().start), at.get_ref().escape_debug())
    };
    let mut config = Config::default();
    let told = |word: &Spanned<String>| {
        time(word.get_ref()).ok_or_else(|| wrong(word, "a time such as \"24h\", \"7d\" or \"30m\""))
    };
    if let Some(word) = &raw.learning_time {
        config.terms = learning(told(word)?);
    }
    let graduation = &mut config.terms.graduation;
    for (word, time) in [
        (&raw.quiet_time, &mut graduation.quiet),
        (&raw.steady_time, &mut graduation.steady),
        (&raw.start_time, &mut graduation.start),
        (&raw.archive_after, &mut config.terms.archive_after),
    ] {
        if let Some(word) = word {
            *time = told(word)?;
        }
    }
    if let Some(words) = &raw.phases {
        graduation.phases = BTreeSet::new();
        for word in words {
            let phase = Phase::ASKED.into_iter().find(|phase| phase.name() == word.get_ref());
            let expected = || wrong(word, "start, steady, reload or timer");
            graduation.phases.insert(phase.ok_or_else(expected)?);
        }
    }
    if let Some(word) = &raw.log_level {
        config.log_level = word.get_ref().parse().map_err(|_| wrong(word, "error, warn, info or debug"))?;
    }
    for name in &raw.operators {
        let expected = || wrong(name, "the name of one service, such as \"apt-daily-upgrade\"");
        config.operators.insert(service(name.get_ref()).ok_or_else(expected)?);
    }
    config.audit = raw.audit.settings(&wrong)?;
    config.audit.sinks = sinks::settings(&raw.sink, &wrong)?;
    if let Some(word) = &raw.metrics {
        // They tell who is refused what, and TCP does not tell who asks.
        let expected = || wrong(word, "an address of the loopback device with a port, such as \"127.0.0.1:9464\"");
        let address: Option<SocketAddr> = word.get_ref().parse().ok();
        config.metrics = Some(address.filter(|address| address.ip().is_loopback()).ok_or_else(expected)?);
    }
    Ok(config)
}

/// What goes with a time of learning, where nothing else is said.
fn learning(time: Duration) -> Terms {
    let phases = Phase::ASKED.into_iter().collect();
    // For as long as systemd waits for a start by itself (DefaultTimeoutStartSec= in systemd-system.conf(5)).
    let start = Duration::from_secs(90);
    let graduation = Graduation { learning: time, quiet: time / 4, steady: time / 24, start, phases };
    Terms { graduation, archive_after: Duration::from_secs(7 * 24 * 3600) }
}

/// A service as the kernel knows it: without `.service`, all instances of a template as one.
fn service(text: &str) -> Option<String> {
    let name = text.strip_suffix(".service").unwrap_or(text);
    let name = name.find('@').and_then(|at| name.get(..=at)).unwrap_or(name);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    (!name.is_empty() && name != "@" && name.bytes().all(fits)).then(|| name.to_owned())
}

/// `24h`, `90s`, `7d`: a day is 24 hours.
pub(crate) fn time(text: &str) -> Option<Duration> {
    if let Some(days) = text.trim().strip_suffix('d').and_then(|days| days.trim().parse::<u64>().ok()) {
        return days.checked_mul(24 * 3600).map(Duration::from_secs);
    }
    text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_the_default() {
        let shipped = include_str!("../dist/bartizan.toml");
        assert_eq!(parse("bartizan.toml", shipped), Ok(Config::default()));
        assert_eq!(parse("x", ""), Ok(Config::default()));
    }

    #[test]
    fn times_of_learning_go_together_unless_they_are_given() {
        let seconds = Duration::from_secs;
        let day = parse("c", "").unwrap_or_default().terms;
        assert_eq!((day.graduation.quiet, day.graduation.steady), (seconds(6 * 3600), seconds(3600)));
        let hour = parse("c", "learning_time = \"1h\"\nsteady_time = \"1m\"\nphases = []").unwrap_or_default().terms;
        let Graduation { learning, quiet, steady, start, phases } = hour.graduation;
        assert_eq!((learning, quiet, steady, phases.len()), (seconds(3600), seconds(900), seconds(60), 0));
        assert_eq!(start, seconds(90));
        let two = parse("c", "phases = [\"timer\", \"start\"]\narchive_after = \"1d\"").unwrap_or_default().terms;
        assert_eq!(two.graduation.phases, [Phase::Start, Phase::Timer].into());
        assert_eq!(two.archive_after, seconds(86_400));
    }

    #[test]
    fn every_key_is_documented() {
        let documentation = include_str!("../../docs/configuration.md");
        let keys = [
            "learning_time",
            "quiet_time",
            "steady_time",
            "start_time",
            "phases",
            "archive_after",
            "log_level",
            "operators",
            "audit",
            "sink",
            "metrics",
        ];
        for key in keys {
            let named = documentation.contains(&format!("`{key}`"))
                || documentation.contains(&format!("`[{key}]`"))
                || documentation.contains(&format!("`[[{key}]]`"));
            assert!(named, "docs/configuration.md does not name {key}");
        }
        // The list above is whole: the parser knows no other key, as its own message shows.
        let message = parse("x", "nonsense = 1").err().unwrap_or_default();
        let whole = keys.map(|key| format!("`{key}`")).join(", ");
        assert!(message.ends_with(&format!("expected one of {whole}")), "{message}");
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let found = parse("c.toml", "\nlearning_time = \"soon\"\n").err().unwrap_or_default();
        assert!(found.starts_with("c.toml:2:17: expected a time") && found.ends_with("`soon`"), "{found}");
        let found = parse("c.toml", "log_level = 3").err().unwrap_or_default();
        assert!(found.starts_with("c.toml:1:13:"), "{found}");
        for text in ["0.0.0.0:9464", "10.0.0.1:9464", "[::]:9464", "127.0.0.1", "localhost:9464"] {
            let found = parse("c.toml", &format!("metrics = \"{text}\"")).err().unwrap_or_default();
            assert!(found.starts_with("c.toml:1:11: expected an address of the loopback device"), "{text}: {found}");
        }
        for text in ["127.0.0.1:9464", "[::1]:9464"] {
            let found = parse("c.toml", &format!("metrics = \"{text}\"")).unwrap_or_default();
            assert_eq!(found.metrics.map(|address| address.to_string()).as_deref(), Some(text));
        }
        let found = parse("c.toml", "operators = [\"a\", \"*\"]").err().unwrap_or_default();
        assert!(found.starts_with("c.toml:1:19: expected the name of one service"), "{found}");
        let named = parse("c", "operators = [\"apt-daily-upgrade.service\", \"upgrade@nightly\"]").unwrap_or_default();
        assert_eq!(named.operators, ["apt-daily-upgrade", "upgrade@"].map(str::to_owned).into());
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800)] {
            assert_eq!(time(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(time("-5s"), None);
        let found = parse("c.toml", "phases = [\"start\", \"restart\"]").err().unwrap_or_default();
        assert!(found.starts_with("c.toml:1:20: expected start, steady, reload or timer"), "{found}");
        let found = parse("c.toml", "quiet_time = \"never\"").err().unwrap_or_default();
        assert!(found.starts_with("c.toml:1:14: expected a time"), "{found}");
    }
}
