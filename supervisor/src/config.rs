//! `bartizan.toml`: every key is documented in docs/configuration.md.

use std::path::Path;
use std::time::Duration;

use actors::assemble::Operators;
use jiff::SignedDuration;
use policy::place::Place;
use serde::Deserialize;
use toml::Spanned;

/// The daemon's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long a service learns before its model counts.
    pub learning_time: Duration,
    /// What the journal gets: `error`, `warn`, `info` or `debug`.
    pub log_level: log::LevelFilter,
    /// Services that may upgrade Bartizan, write its files and use the API for writing.
    pub operators: Operators,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            learning_time: Duration::from_secs(24 * 3600),
            log_level: log::LevelFilter::Info,
            operators: Operators::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    learning_time: Option<Spanned<String>>,
    log_level: Option<Spanned<String>>,
    #[serde(default)]
    operators: Vec<Spanned<String>>,
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
    if let Some(word) = &raw.learning_time {
        let expected = || wrong(word, "a time such as \"24h\", \"7d\" or \"30m\"");
        config.learning_time = time(word.get_ref()).ok_or_else(expected)?;
    }
    if let Some(word) = &raw.log_level {
        config.log_level = word.get_ref().parse().map_err(|_| wrong(word, "error, warn, info or debug"))?;
    }
    for name in &raw.operators {
        let expected = || wrong(name, "the name of one service, such as \"apt-daily-upgrade\"");
        config.operators.insert(service(name.get_ref()).ok_or_else(expected)?);
    }
    Ok(config)
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
    fn every_key_is_documented() {
        let documentation = include_str!("../../docs/configuration.md");
        for key in ["learning_time", "log_level", "operators"] {
            assert!(documentation.contains(&format!("`{key}`")), "docs/configuration.md does not name {key}");
        }
        // The list above is whole: the parser knows no other key, as its own message shows.
        let message = parse("x", "nonsense = 1").err().unwrap_or_default();
        assert!(message.ends_with("expected one of `learning_time`, `log_level`, `operators`"), "{message}");
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let found = parse("c.toml", "\nlearning_time = \"soon\"\n").err().unwrap_or_default();
        assert!(found.starts_with("c.toml:2:17: expected a time") && found.ends_with("`soon`"), "{found}");
        let found = parse("c.toml", "log_level = 3").err().unwrap_or_default();
        assert!(found.starts_with("c.toml:1:13:"), "{found}");
        let found = parse("c.toml", "operators = [\"a\", \"*\"]").err().unwrap_or_default();
        assert!(found.starts_with("c.toml:1:19: expected the name of one service"), "{found}");
        let named = parse("c", "operators = [\"apt-daily-upgrade.service\", \"upgrade@nightly\"]").unwrap_or_default();
        assert_eq!(named.operators, ["apt-daily-upgrade", "upgrade@"].map(str::to_owned).into());
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800)] {
            assert_eq!(time(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(time("-5s"), None);
    }
}
