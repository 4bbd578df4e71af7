//! Secrets on command lines: what looks like one is left out before a record goes anywhere.

mod recent;

use std::ops::Range;
use std::sync::LazyLock;

use bpf::event::Command;
use compact_str::CompactString;
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

pub use recent::Recent;

use crate::record::escape;

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";
/// Bytes that a compiled pattern may take, and those that it may take while it runs.
const SIZE: usize = 1 << 20;
const RUNNING: usize = 1 << 18;

/// What is left out in any case. A group is the secret; without one all that matches is.
const BUILT_IN: [&str; 14] = [
    // --password=…, --api-key …
    r"(?i)--?[a-z0-9_-]*(?:password|passwd|passphrase|secret|token|api-?key|access-?key|private-?key|credentials?)(?:=(\S+)|\s+([^\s-]\S*))",
    // TOKEN=…, AWS_SECRET_ACCESS_KEY=…, ?token=…
    r"(?i)[a-z0-9_]*(?:password|passwd|passphrase|secret|token|api_?key|access_?key|private_?key|pwd)=(\S+)",
    // "password": "…"
    r#"(?i)["'][a-z0-9_-]*(?:password|passwd|secret|token|api_?key)["']\s*:\s*["']([^"']+)["']"#,
    // Authorization: Bearer …
    r"(?i)authorization:\s*(?:(?:basic|bearer|digest|negotiate|token)\s+)?(\S+)",
    r"(?i)bearer\s+(\S+)",
    r"(?i)(?:x-[a-z-]*(?:key|token)|private-token|cookie):\s*(\S+)",
    // https://user:…@host
    r"(?i)[a-z][a-z0-9+.-]*://[^\s/:@]*:([^\s/]+)@",
    // mysql -p…, and what else takes -p, -a or -u so
    r"(?s)(?:mysql|mariadb)[a-z-]*\s(?:.*\s)?-p\s*([^\s-]\S*)",
    r"(?s)(?:sshpass|useradd|usermod|groupadd|groupmod)\s(?:.*\s)?-p\s*(\S+)",
    r"(?s)redis-cli\s(?:.*\s)?-a\s*(\S+)",
    r"(?s)curl\s(?:.*\s)?(?:-u|--user)[\s=]*[^\s:=]+:(\S+)",
    r"(?s)htpasswd\s(?:.*\s)?-[a-zA-Z]*b[a-zA-Z]*\s+\S+\s+\S+\s+(\S+)",
    // openssl -passin pass:…
    r"-pass(?:in|out)?\s+pass:(\S+)",
    // Tokens that say what they are: GitHub, GitLab, Slack, JWT.
    r"gh[pousr]_[A-Za-z0-9]{20,}|glpat-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
];

/// What is left out.
#[derive(Clone, Debug)]
pub struct Redaction {
    /// Tells in one pass which of the patterns there is anything to do for.
    any: RegexSet,
    patterns: Vec<Regex>,
}

impl PartialEq for Redaction {
    fn eq(&self, other: &Redaction) -> bool {
        self.any.patterns() == other.any.patterns()
    }
}

impl Eq for Redaction {}

static BUILT: LazyLock<Redaction> = LazyLock::new(|| {
    #[allow(clippy::expect_used)]
    // They are part of the program, and the tests compile them.
    Redaction::with(&[]).expect("the built-in patterns are right")
});

impl Default for Redaction {
    fn default() -> Redaction {
        BUILT.clone()
    }
}

/// A pattern of an operator's, if it can be used; else what is wrong with it, on one line.
pub fn check(pattern: &str) -> Result<(), String> {
    let compiled = compile(pattern).map_err(|error| {
        let text = error.to_string();
        text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })?;
    if compiled.is_match("") { Err("it matches where there is nothing".to_owned()) } else { Ok(()) }
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(SIZE).dfa_size_limit(RUNNING).build()
}

impl Redaction {
    /// What these patterns match, beside what is left out in any case.
    pub fn with(more: &[String]) -> Result<Redaction, regex::Error> {
        let all = || BUILT_IN.into_iter().chain(more.iter().map(String::as_str));
        let any = RegexSetBuilder::new(all()).size_limit(SIZE * 8).dfa_size_limit(RUNNING * 2).build()?;
        Ok(Redaction { any, patterns: all().map(compile).collect::<Result<_, _>>()? })
    }

    /// A command line as a record has it: the arguments with blanks between them, without secrets. `None`: the kernel could not
    /// read it.
    pub fn command(&self, command: &Command) -> Option<CompactString> {
        let bytes = command.bytes.strip_suffix(b"\0").unwrap_or(&command.bytes);
        if bytes.is_empty() {
            return None;
        }
        let mut text = String::with_capacity(bytes.len());
        let mut starts = Vec::new();
        for argument in bytes.split(|byte| *byte == 0) {
            if !text.is_empty() {
                text.push(' ');
            }
            starts.push(text.len());
            text.push_str(&String::from_utf8_lossy(argument));
        }
        if command.cut {
            // A secret that is cut off may not look like one any more.
            text.truncate(text.rfind(char::is_whitespace).unwrap_or(0));
            starts.retain(|start| *start < text.len());
        }
        let mut safe = escape(&self.without_secrets(&text, &starts));
        if command.cut {
            safe.push_str(if safe.is_empty() { "…" } else { " …" });
        }
        Some(safe)
    }

    /// `starts`: where the arguments begin.
    fn without_secrets(&self, text: &str, starts: &[usize]) -> String {
        let matching = self.any.matches(text);
        if !matching.matched_any() {
            return text.to_owned();
        }
        let mut secrets: Vec<Range<usize>> = Vec::new();
        for pattern in matching.iter().filter_map(|number| self.patterns.get(number)) {
            for found in pattern.captures_iter(text) {
                let Some(all) = found.get(0) else { continue };
                let groups = found.iter().skip(1).flatten().map(|group| group.range());
                let parts: Vec<_> = if found.len() > 1 { groups.collect() } else { vec![all.range()] };
                secrets.extend(parts.into_iter().map(|part| whole_argument(&all.range(), part, text.len(), starts)));
            }
        }
        secrets.retain(|secret| !secret.is_empty());
        secrets.sort_by_key(|secret| secret.start);
        let (mut safe, mut at) = (String::with_capacity(text.len()), 0);
        for secret in secrets {
            if secret.start >= at {
                safe.push_str(text.get(at..secret.start).unwrap_or_default());
                safe.push_str(REDACTED);
            }
            at = at.max(secret.end);
        }
        safe.push_str(text.get(at..).unwrap_or_default());
        safe
    }
}

/// A secret with blanks goes on to the end of its argument, where the argument begins with it or with what names it, and
/// nothing that ends it was found. In the middle of a script that is one argument it ends where the pattern says.
fn whole_argument(all: &Range<usize>, secret: Range<usize>, end: usize, starts: &[usize]) -> Range<usize> {
    let begins = starts.contains(&secret.start) || starts.contains(&all.start);
    let next = starts.iter().find(|start| **start >= secret.end).map_or(end, |start| start - 1);
    let argument = |at: usize| starts.iter().rfind(|start| **start <= at);
    let same = argument(secret.start) == argument(secret.end.saturating_sub(1));
    if begins && same && all.end == secret.end { secret.start..next.max(secret.end) } else { secret }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(arguments: &[&str]) -> String {
        let bytes = arguments.iter().flat_map(|argument| argument.bytes().chain([0])).collect();
        Redaction::default().command(&Command { bytes, cut: false }).unwrap_or_default().into()
    }

    #[test]
    fn secrets_are_left_out_however_they_are_given() {
        for (arguments, wanted) in [
            (&["tool", "--password=hush", "-v"][..], "tool --password=[redacted] -v"),
            (&["tool", "--password", "hush", "-v"], "tool --password [redacted] -v"),
            (&["tool", "--password", "two words", "-v"], "tool --password [redacted] -v"),
            (&["tool", "--db-password=two words", "-v"], "tool --db-password=[redacted] -v"),
            (&["tool", "--api-key", "k"], "tool --api-key [redacted]"),
            (&["/usr/bin/mysql", "-u", "root", "-phush", "db"], "/usr/bin/mysql -u root -p[redacted] db"),
            (&["mysqldump", "-p", "hush"], "mysqldump -p [redacted]"),
            (&["curl", "https://x/?token=abc"], "curl https://x/?token=[redacted]"),
            (&["curl", "-H", "Authorization: Bearer abc.def", "x"], "curl -H Authorization: Bearer [redacted] x"),
            (&["curl", "-H", "Authorization: abc", "x"], "curl -H Authorization: [redacted] x"),
            (&["curl", "-s", "-u", "me:hush", "x"], "curl -s -u me:[redacted] x"),
            (&["env", "AWS_SECRET_ACCESS_KEY=abc", "aws"], "env AWS_SECRET_ACCESS_KEY=[redacted] aws"),
            (&["git", "clone", "https://me:hu@sh@host/x"], "git clone https://me:[redacted]@host/x"),
            (&["sh", "-c", "TOKEN=abc run it"], "sh -c TOKEN=[redacted]"),
            (&["sh", "-c", "run; PGPASSWORD=abc psql db"], "sh -c run; PGPASSWORD=[redacted] psql db"),
            (&["x", r#"{"user": "a", "password": "b c"}"#], r#"x {"user": "a", "password": "[redacted]"}"#),
            (&["openssl", "rsa", "-passin", "pass:abc"], "openssl rsa -passin pass:[redacted]"),
            (&["htpasswd", "-nb", "f", "u", "abc"], "htpasswd -nb f u [redacted]"),
            (&["x", "ghp_0123456789abcdef0123456789abcdef0123"], "x [redacted]"),
            (&["sshpass", "-phush", "ssh", "host"], "sshpass -p[redacted] ssh host"),
        ] {
            assert_eq!(shown(arguments), wanted, "{arguments:?}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for arguments in [
            &["/usr/sbin/useradd", "-m", "ada"][..],
            &["nginx: worker process"],
            &["mysql", "-p", "-u", "root"],
            &["ssh", "-p", "22", "host"],
            &["tool", "--token-file=/etc/token", "--port=3306"],
            &["curl", "http://host:8080/path"],
        ] {
            assert_eq!(shown(arguments), arguments.join(" "));
        }
        assert_eq!(shown(&[]), "");
        assert_eq!(shown(&["a\nb\u{1b}[31m"]), "a\\nb\\u{1b}[31m");
    }

    #[test]
    fn an_operator_adds_patterns() {
        let more = ["--pin[= ]([0-9]+)".to_owned(), "hunter[0-9]".to_owned()];
        let Ok(redaction) = Redaction::with(&more) else { panic!("they are right") };
        let command =
            |text: &str| redaction.command(&Command { bytes: text.replace(' ', "\0").into_bytes(), cut: false });
        let shown = command("x --pin 1234 hunter2 --token=a").unwrap_or_default();
        assert_eq!(shown, "x --pin [redacted] [redacted] --token=[redacted]");
        assert!(redaction != Redaction::default() && Redaction::default() == Redaction::default());
        assert_eq!(check("a(b"), Err("unclosed group".to_owned()));
        assert_eq!(check("a*"), Err("it matches where there is nothing".to_owned()));
        assert!(check("(?:a{1000}){1000}").is_err() && check("ab").is_ok());
    }

    #[test]
    fn the_word_that_was_cut_off_is_left_out() {
        let cut =
            |text: &str| Redaction::default().command(&Command { bytes: text.replace('|', "\0").into(), cut: true });
        assert_eq!(cut("git|clone|https://me:hus").as_deref(), Some("git clone …"));
        assert_eq!(cut("sh|-c|one --password a two thr").as_deref(), Some("sh -c one --password [redacted] two …"));
        assert_eq!(cut("https://me:hus").as_deref(), Some("…"));
    }
}
