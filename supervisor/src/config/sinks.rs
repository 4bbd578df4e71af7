//! `[[sink]]`: where records go beside the trail and the journal.

use std::collections::BTreeSet;
use std::path::PathBuf;

use actors::sinks::{BACKLOG, JOURNAL, Settings, To, Web};
use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    kind: Spanned<String>,
    to: Spanned<String>,
    name: Option<Spanned<String>>,
    backlog: Option<Spanned<String>>,
    token_file: Option<Spanned<String>>,
    ca_file: Option<Spanned<String>>,
}

/// Makes the message for a word, of what was expected.
type Wrong<'a> = dyn Fn(&Spanned<String>, &str) -> String + 'a;

/// All sinks, or what is wrong with the first that has a mistake.
pub(super) fn settings(raw: &[Raw], wrong: &Wrong<'_>) -> Result<Vec<Settings>, String> {
    let mut names = BTreeSet::from([JOURNAL.to_owned()]);
    let mut found = Vec::new();
    for raw in raw {
        let at = raw.name.as_ref().unwrap_or(&raw.kind);
        let name = at.get_ref().clone();
        let to = raw.to(wrong)?;
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(fits) {
            return Err(wrong(at, "a name of at most 32 lower-case letters, digits and `-`"));
        }
        if !names.insert(name.clone()) {
            return Err(wrong(at, "a `name` that no other sink has (without one it is the kind)"));
        }
        let backlog = match &raw.backlog {
            None => BACKLOG,
            Some(word) => {
                let number = word.get_ref().parse().ok().filter(|number| (1_000..=100_000_000).contains(number));
                number.ok_or_else(|| wrong(word, "how many records may wait, \"1000\" to \"100000000\""))?
            }
        };
        found.push(Settings { name, to, backlog });
    }
    Ok(found)
}

impl Raw {
    fn to(&self, wrong: &Wrong<'_>) -> Result<To, String> {
        let to = self.to.get_ref();
        for (word, name) in [(&self.token_file, "token_file"), (&self.ca_file, "ca_file")] {
            if let Some(word) = word.as_ref().filter(|_| self.kind.get_ref() == "syslog") {
                return Err(wrong(word, &format!("no {name}, which is for kinds that speak HTTP")));
            }
        }
        match self.kind.get_ref().as_str() {
            "syslog" => {
                let place = |scheme: &str| to.strip_prefix(scheme).filter(|place| is_place(place)).map(str::to_owned);
                let found = place("udp://").map(To::SyslogUdp).or_else(|| place("tcp://").map(To::SyslogTcp));
                found.ok_or_else(|| wrong(&self.to, "udp://HOST:PORT or tcp://HOST:PORT"))
            }
            "ocsf" => Ok(To::Ocsf(self.web(wrong)?)),
            "otlp" => Ok(To::Otlp(self.web(wrong)?)),
            _ => Err(wrong(&self.kind, "syslog, ocsf or otlp")),
        }
    }

    fn web(&self, wrong: &Wrong<'_>) -> Result<Web, String> {
        let url = self.to.get_ref();
        let scheme = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let rest = scheme.and_then(|rest| rest.split('/').next());
        let with_port = |place: &str| is_place(place) || is_place(&format!("{place}:80"));
        let fits = rest.is_some_and(with_port) && url.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return Err(wrong(&self.to, "http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH"));
        }
        if let Some(word) = self.ca_file.as_ref().filter(|_| !url.starts_with("https://")) {
            return Err(wrong(word, "no ca_file, which is for https"));
        }
        let path = |given: &Option<Spanned<String>>| match given {
            Some(word) if !word.get_ref().starts_with('/') => Err(wrong(word, "an absolute path")),
            other => Ok(other.as_ref().map(|word| PathBuf::from(word.get_ref()))),
        };
        Ok(Web { url: url.clone(), ca: path(&self.ca_file)?, token: path(&self.token_file)? })
    }
}

/// `HOST:PORT`, the host as a name, an IPv4 address or an IPv6 address in brackets.
fn is_place(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_six = |inner: &str| inner.parse::<std::net::Ipv6Addr>().is_ok();
    let is_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => is_six(inner),
        None => !host.is_empty() && host.bytes().all(name),
    };
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn sinks_are_read() {
        let text = "[[sink]]\nkind = \"syslog\"\nto = \"udp://127.0.0.1:514\"\n\
                    [[sink]]\nname = \"far\"\nkind = \"syslog\"\nto = \"tcp://[::1]:601\"\nbacklog = \"5000\"\n\
                    [[sink]]\nkind = \"otlp\"\nto = \"http://127.0.0.1:4318/v1/logs\"\ntoken_file = \"/etc/token\"\n\
                    [[sink]]\nkind = \"ocsf\"\nto = \"http://siem/in\"\n\
                    [[sink]]\nname = \"closed\"\nkind = \"ocsf\"\nto = \"https://siem/in\"\nca_file = \"/etc/ca.pem\"\n";
        let web = |url: &str, ca: Option<&str>, token: Option<&str>| {
            let (ca, token) = (ca.map(PathBuf::from), token.map(PathBuf::from));
            Web { url: url.to_owned(), ca, token }
        };
        let one = |name: &str, to, backlog| Settings { name: name.to_owned(), to, backlog };
        let wanted = vec![
            one("syslog", To::SyslogUdp("127.0.0.1:514".to_owned()), BACKLOG),
            one("far", To::SyslogTcp("[::1]:601".to_owned()), 5000),
            one("otlp", To::Otlp(web("http://127.0.0.1:4318/v1/logs", None, Some("/etc/token"))), BACKLOG),
            one("ocsf", To::Ocsf(web("http://siem/in", None, None)), BACKLOG),
            one("closed", To::Ocsf(web("https://siem/in", Some("/etc/ca.pem"), None)), BACKLOG),
        ];
        assert_eq!(parse("c", text).map(|config| config.audit.sinks), Ok(wanted));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, told) in [
            ("kind = \"mail\"\nto = \"x\"", "c.toml:2:8: expected syslog, ocsf or otlp: `mail`"),
            ("kind = \"syslog\"\nto = \"127.0.0.1:514\"", "c.toml:3:6: expected udp://HOST:PORT or tcp://HOST:PORT"),
            ("kind = \"syslog\"\nto = \"udp://host:0\"", "c.toml:3:6: expected udp://"),
            ("kind = \"otlp\"\nto = \"ftp://host/\"", "c.toml:3:6: expected http://HOST[:PORT]/PATH or https"),
            (
                "kind = \"otlp\"\nto = \"http://h/\"\nca_file = \"/c\"",
                "c.toml:4:11: expected no ca_file, which is for https",
            ),
            (
                "kind = \"syslog\"\nto = \"udp://h:1\"\nca_file = \"/c\"",
                "c.toml:4:11: expected no ca_file, which is for kinds",
            ),
            ("kind = \"otlp\"\nto = \"https://h/\"\nca_file = \"c\"", "c.toml:4:11: expected an absolute path"),
            ("kind = \"ocsf\"\nto = \"http:///in\"", "c.toml:3:6: expected http://"),
            ("kind = \"otlp\"\nto = \"http://h/\"\ntoken_file = \"t\"", "c.toml:4:14: expected an absolute path"),
            ("kind = \"syslog\"\nto = \"udp://h:1\"\ntoken_file = \"/t\"", "c.toml:4:14: expected no token_file"),
            ("kind = \"syslog\"\nto = \"udp://h:1\"\nname = \"A\"", "c.toml:4:8: expected a name"),
            (
                "kind = \"syslog\"\nto = \"udp://h:1\"\nname = \"journal\"",
                "c.toml:4:8: expected a `name` that no other",
            ),
            ("kind = \"syslog\"\nto = \"udp://h:1\"\nbacklog = \"5\"", "c.toml:4:11: expected how many records"),
            ("kind = \"syslog\"\nto = \"udp://h:1\"\nport = 5", "c.toml:4:1: unknown field `port`"),
            ("kind = \"syslog\"", "c.toml:1:1: missing field `to`"),
        ] {
            let found = parse("c.toml", &format!("[[sink]]\n{text}")).err().unwrap_or_default();
            assert!(found.starts_with(told), "{found}");
        }
    }
}
