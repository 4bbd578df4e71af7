//! What common services need, as data: `baseline/services.toml`. A service with a baseline still learns.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::capability::Grants;
use crate::capability::known::KnownFrom;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    baseline: Vec<Entry>,
    /// Never denied and never recorded.
    exempt: Vec<String>,
    /// May hand a task over to a login session.
    login: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    services: Vec<String>,
    known_from: KnownFrom,
    #[serde(default)]
    grants: Grants,
    /// What its start needs as well: shells that start a server whose workers need none.
    #[serde(default)]
    at_start: Grants,
}

const TEXT: &str = include_str!("../baseline/services.toml");

static FILE: LazyLock<File> = LazyLock::new(|| {
    // The test below keeps a file that does not parse from being built.
    toml::from_str(TEXT).unwrap_or(File { baseline: Vec::new(), exempt: Vec::new(), login: Vec::new() })
});

fn named(patterns: &[String], service: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => service.starts_with(start),
        None => pattern == service,
    })
}

/// What a service is known to need before it was ever seen.
pub fn grants(service: &str) -> Grants {
    collect(service, |entry| &entry.grants)
}

/// What a service is known to need in its starts only.
pub fn at_start(service: &str) -> Grants {
    collect(service, |entry| &entry.at_start)
}

fn collect(service: &str, of: impl Fn(&Entry) -> &Grants) -> Grants {
    let mut grants = Grants::new();
    for entry in FILE.baseline.iter().filter(|entry| named(&entry.services, service)) {
        for (capability, accesses) in of(entry) {
            grants.entry(capability.clone()).or_default().extend(accesses);
        }
    }
    grants
}

/// Where the baseline of a service is known from, if it has one.
pub fn known_from(service: &str) -> Option<KnownFrom> {
    FILE.baseline.iter().find(|entry| named(&entry.services, service)).map(|entry| entry.known_from)
}

/// Services whose entry the kernel must have before anybody has seen them run: without it they would count as unknown.
pub fn always_listed() -> impl Iterator<Item = &'static str> {
    FILE.exempt.iter().chain(&FILE.login).map(String::as_str)
}

/// Whether a service is Bartizan itself.
pub fn is_bartizan(service: &str) -> bool {
    matches!(service, "bartizand" | "bartizan-early")
}

/// Whether a service can never be denied anything (design section 4).
pub fn is_exempt(service: &str) -> bool {
    named(&FILE.exempt, service)
}

/// Whether a service may hand a task over to a login session (design section 4).
pub fn opens_sessions(service: &str) -> bool {
    named(&FILE.login, service)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::access::Access;
    use crate::capability::Catalogue;

    #[test]
    fn the_file_is_whole_and_names_known_capabilities() {
        let file: File = toml::from_str(TEXT).expect("baseline/services.toml parses");
        assert!(file.baseline.len() >= 40, "{}", file.baseline.len());
        for entry in &file.baseline {
            for capability in entry.grants.keys().chain(entry.at_start.keys()) {
                assert!(Catalogue::builtin().index(capability).is_some(), "{capability}");
            }
        }
    }

    #[test]
    fn templates_globs_and_exemptions_are_found() {
        assert_eq!(Catalogue::builtin().masks(&grants("nginx")).get(Access::Read), 1 << 5);
        assert!(grants("postgresql-15").get("USERS").is_some_and(|accesses| accesses.contains(&Access::Read)));
        assert!(grants("http-server").is_empty());
        assert!(at_start("apache2").contains_key("SHELL") && !grants("apache2").contains_key("SHELL"));
        assert!(is_exempt("systemd-journald") && is_exempt("bartizand") && !is_exempt("nginx"));
        assert!(opens_sessions("ssh") && !opens_sessions("nginx"));
    }
}
