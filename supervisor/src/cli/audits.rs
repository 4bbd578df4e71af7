//! `bartizan audits`.

use std::time::{Duration, Instant};

use actors::record::{Kind, Record};
use actors::selection::KINDS;
use clap::Args;
use clap::builder::PossibleValuesParser;
use hyper::Method;
use jiff::{Timestamp, Zoned};

use super::client::{Trouble, ask, daemon_answers, encode, listen};
use super::get;
use super::line::{Line, Paint};
use super::revisions::parsed;
use super::screen::Screen;
use super::suggest::suggest;
use super::verify::AuditsCommand;
use crate::moment::{EXPECTED, moment};
use crate::{BAD_INPUT, CANNOT, GOOD};

/// Records in one answer of the daemon.
const PAGE: u64 = 1000;
/// Most that `--limit` may ask for: what the daemon gives in one answer.
const LIMIT_MAX: u64 = 10_000;
/// How long `--follow` waits for a daemon that ended to be back, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(500);

/// Which records.
#[derive(Args)]
pub(super) struct AuditsArguments {
    #[command(subcommand)]
    command: Option<AuditsCommand>,
    /// Only this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Only acts that lacked one of these capabilities
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    capability: Vec<String>,
    /// Only what was refused, or only what was allowed and recorded
    #[arg(long, value_parser = PossibleValuesParser::new(["deny", "audit"]))]
    verdict: Option<String>,
    /// Only records of these kinds
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = PossibleValuesParser::new(KINDS.map(|(name, _)| name)))]
    kind: Vec<String>,
    /// Only what happened since then
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what happened before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only the newest so many
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=LIMIT_MAX))]
    limit: Option<u64>,
    /// Wait for more
    #[arg(long, conflicts_with = "until")]
    follow: bool,
    /// The change of the policy that would permit the act of this record, as a diff
    #[arg(long, value_name = "ID", conflicts_with_all = ["service", "capability", "verdict", "kind", "since", "until", "limit", "follow"])]
    suggest: Option<u64>,
}

impl AuditsArguments {
    pub(super) fn run(&self, json: bool) -> Result<u8, Trouble> {
        if let Some(command) = &self.command {
            return command.run(json);
        }
        if let Some(id) = self.suggest {
            return suggest(id, json);
        }
        let filter = self.filter(&Zoned::now())?;
        let mut shown = Shown { screen: Screen::flowing(), json, newest: 0, any: false };
        if !self.follow {
            shown.screen = Screen::new();
        }
        match self.limit {
            Some(limit) => shown.all(&format!("newest=true&limit={limit}{filter}")).map(drop)?,
            None => while shown.all(&format!("after={}&limit={PAGE}{filter}", shown.newest))? == PAGE {},
        }
        if self.follow {
            return shown.follow(&filter);
        }
        if let Some(name) = self.service.as_deref().filter(|_| !shown.any) {
            // A name that is wrong would look like a service that never did anything.
            ask(Method::GET, &format!("/v1/services/{}", encode(name)), None)?;
        }
        shown.screen.finish()?;
        Ok(GOOD)
    }

    /// What is wanted, as a part of the query.
    fn filter(&self, now: &Zoned) -> Result<String, Trouble> {
        let (since, until) =
            (given("--since", self.since.as_deref(), now)?, given("--until", self.until.as_deref(), now)?);
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            return Err(Trouble::new(BAD_INPUT, format!("nothing lies between --since {since} and --until {until}")));
        }
        let list = |words: &[String]| (!words.is_empty()).then(|| words.join(","));
        let values = [
            ("service", self.service.clone()),
            ("capability", list(&self.capability)),
            ("verdict", self.verdict.clone()),
            ("kind", list(&self.kind)),
            ("since", since.map(|time| time.to_string())),
            ("until", until.map(|time| time.to_string())),
        ];
        Ok(values.into_iter().filter_map(|(name, value)| Some(format!("&{name}={}", encode(&value?)))).collect())
    }
}

fn given(option: &str, text: Option<&str>, now: &Zoned) -> Result<Option<Timestamp>, Trouble> {
    let Some(text) = text else { return Ok(None) };
    let wrong =
        || Trouble::new(BAD_INPUT, format!("{option}: expected a time such as {EXPECTED}: `{}`", text.escape_debug()));
    moment(text, now).map(Some).ok_or_else(wrong)
}

/// What has been printed.
struct Shown {
    screen: Screen,
    json: bool,
    newest: u64,
    any: bool,
}

impl Shown {
    /// Prints one answer; how many records it had.
    fn all(&mut self, query: &str) -> Result<u64, Trouble> {
        let (records, _): (Vec<Record>, String) = get(&format!("/v1/audits?{query}"))?;
        records.iter().try_for_each(|record| self.record(record))?;
        Ok(records.len() as u64)
    }

    fn record(&mut self, record: &Record) -> Result<(), Trouble> {
        (self.newest, self.any) = (record.id, true);
        if self.json {
            let text = serde_json::to_string(record).map_err(|error| Trouble::new(CANNOT, error.to_string()))?;
            return self.screen.json(&text);
        }
        self.screen.line(people(record))
    }

    /// What comes from now on, over a restart of the daemon as well.
    fn follow(mut self, filter: &str) -> Result<u8, Trouble> {
        let (mut seen, mut ended) = (Instant::now(), false);
        loop {
            // While it starts anew it is not asked what is wrong, which would have the kernel load programs.
            while !daemon_answers()? && seen.elapsed() < PATIENCE {
                std::thread::sleep(AGAIN);
            }
            let path = format!("/v1/audits/stream?after={}{filter}", self.newest);
            let listened = listen(&path, |text| {
                seen = Instant::now();
                let shown = parsed(text).and_then(|record| self.record(&record));
                ended = shown.is_err();
                shown
            });
            match listened {
                Ok(()) => seen = Instant::now(),
                Err(trouble) if !ended && trouble.status == CANNOT && seen.elapsed() < PATIENCE => {}
                Err(trouble) => return Err(trouble),
            }
            std::thread::sleep(AGAIN);
        }
    }
}

fn people(record: &Record) -> Line {
    let verdict = record.verdict.as_deref().unwrap_or("-");
    let paint = match verdict {
        "deny" => Paint::Bad,
        "audit" => Paint::Note,
        _ if matches!(record.kind, Kind::Loss | Kind::Tamper) => Paint::Bad,
        _ => Paint::Plain,
    };
    let times = if record.repeats.is_some() { format!(" ({} more)", record.count) } else { String::new() };
    let rule = record.rule.as_ref().map(|rule| format!(" [rule: {rule}]")).unwrap_or_default();
    Line::default()
        .then(Paint::Faint, format!("{} {:>6} ", record.time, record.id))
        .then(paint, format!("{verdict:<5}"))
        .then(Paint::Plain, format!(" {}{times}", record.message))
        .then(Paint::Faint, rule)
        .hang(13)
}
