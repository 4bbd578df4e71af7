//! How long a store with many records takes to answer: fills one through its own schema, asks it as the API does, with
//! nothing of it in memory and again, and prints the times as JSON. `scripts/bench user` starts it.
//!
//!     stored --place DIR --records N

#![allow(clippy::print_stdout, clippy::print_stderr)] // what it measured is its output

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use actors::clock;
use actors::messages::FindRecords;
use actors::record::{Kind, Record};
use actors::selection::Selection;
use actors::store::{self, Bounds, Reader, Store};
use actors::written::Written;
use clap::Parser;
use jiff::Timestamp;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use policy::access::Access;
use policy::capability::Catalogue;

#[derive(Parser)]
struct Arguments {
    /// A directory for the store: one that is there already is asked as it is.
    #[arg(long)]
    place: PathBuf,
    /// How many records it holds.
    #[arg(long)]
    records: u64,
}

/// Services that acted.
const SERVICES: u64 = 100;
/// Time between two records, in milliseconds, and that of the first: 1 January 2026.
const APART: i64 = 250;
const FIRST: i64 = 1_767_225_600_000;
/// One of so many records is of the service that hardly does anything.
const RARE: u64 = 200_000;
/// How many of the newest are asked for.
const PAGE: usize = 100;

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("stored: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the record with this id says, the same each time.
struct Deed {
    service: u64,
    capability: usize,
    denied: bool,
}

impl Deed {
    fn of(id: u64) -> Deed {
        // Mixes the bits of the id, so that neighbours differ in all.
        let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let service = if id.is_multiple_of(RARE) { SERVICES } else { mixed % SERVICES };
        Deed { service, capability: (mixed >> 8) as usize % 15, denied: mixed >> 16 & 3 == 0 }
    }
}

fn record(id: u64, names: &[String]) -> Result<Written, String> {
    let Deed { service, capability, denied } = Deed::of(id);
    let name = names.get(capability).cloned().unwrap_or_default();
    let path = format!("/srv/service-{service}/data/of-record/{id}.json");
    let message = format!("Service service-{service} attempted to obtain capability {name} by writing {path}");
    let record = Record {
        id,
        time: clock::rfc3339(FIRST + APART * i64::try_from(id).unwrap_or(0)),
        service: Some(format!("service-{service}").into()),
        capability: Some(name.as_str().into()),
        capabilities: vec![name.into()],
        access: Some(Access::Write),
        verdict: Some(if denied { "deny" } else { "audit" }.into()),
        path: Some(path.into()),
        exe: Some("/usr/lib/postgresql/15/bin/postgres".into()),
        pid: Some(1_000 + (id % 30_000) as u32),
        uid: Some(33),
        rule: Some("databases must not change what is not theirs".into()),
        ..Record::plain(Kind::Capability, message)
    };
    Written::try_from(record).map_err(|error| error.to_string())
}

fn measure(asked: &Arguments) -> Result<serde_json::Value, String> {
    let path = asked.place.join(store::FILE);
    let names: Vec<String> = Catalogue::builtin().iter().map(|one| one.name.clone()).collect();
    let begun = Instant::now();
    if !path.exists() {
        let all = (1..=asked.records).map_while(|id| record(id, &names).inspect_err(|error| eprintln!("{error}")).ok());
        store::fill(&path, all, 10_000).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let filled = begun.elapsed();
    let bounds = Bounds { total: u64::MAX, keep: Duration::from_secs(1 << 40) };
    let store = Store::open(path.clone(), asked.place.join("no trail"), bounds, |said| eprintln!("{said}"));
    let store = store.map_err(|error| error.to_string())?;
    let reader = store.reader();
    whole(&reader)?;
    let opened = begun.elapsed() - filled;
    let mut rows = Vec::new();
    for (what, wanted) in questions(&names, asked.records)? {
        forget(&asked.place)?;
        let cold = ask(&reader, &wanted, asked.records)?;
        let mut warm = (0..9).map(|_| ask(&reader, &wanted, asked.records)).collect::<Result<Vec<_>, _>>()?;
        warm.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let (median, worst) = (warm.get(4).copied().unwrap_or_default(), warm.last().copied().unwrap_or_default());
        rows.push(
            serde_json::json!({"question": what, "cold_ms": ms(cold), "warm_ms": ms(median), "worst_ms": ms(worst)}),
        );
    }
    let size = path.metadata().map_err(|error| error.to_string())?.len();
    Ok(serde_json::json!({
        "records": asked.records, "bytes": size, "filled_s": filled.as_secs_f64(), "opened_s": opened.as_secs_f64(),
        "questions": rows,
    }))
}

/// Waits until the store has looked at its file and answers.
fn whole(reader: &Reader) -> Result<(), String> {
    let any = FindRecords { wanted: Selection::default(), after: 0, limit: 1, newest: true };
    let deadline = Instant::now() + Duration::from_secs(1_800);
    while reader.find(&any, 0).map_err(|error| error.to_string())?.is_empty() {
        if Instant::now() > deadline {
            return Err("the store does not answer".to_owned());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Takes the files of the store out of memory.
fn forget(place: &Path) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", place.display());
    for entry in place.read_dir().map_err(told)? {
        let file = File::open(entry.map_err(told)?.path()).map_err(told)?;
        file.sync_all().map_err(told)?;
        posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A question and whether a record answers it.
struct Wanted {
    find: FindRecords,
    fits: Box<dyn Fn(&Deed) -> bool>,
    since: u64,
}

/// Asks once, sees that the answer is right, and tells how long it took.
fn ask(reader: &Reader, wanted: &Wanted, records: u64) -> Result<Duration, String> {
    let begun = Instant::now();
    let found = reader.find(&wanted.find, 0).map_err(|error| error.to_string())?;
    let took = begun.elapsed();
    let ids: Vec<u64> = found.iter().map(|record| record.id).collect();
    let fitting = (wanted.since.max(1)..=records).rev().filter(|id| (wanted.fits)(&Deed::of(*id)));
    let mut right: Vec<u64> = fitting.take(wanted.find.limit).collect();
    right.reverse();
    if ids == right { Ok(took) } else { Err(format!("the answer is wrong: {:?}", wanted.find)) }
}

fn questions(names: &[String], records: u64) -> Result<Vec<(&'static str, Wanted)>, String> {
    // The last tenth of the time.
    let late = records - records / 10;
    let since = Timestamp::from_millisecond(FIRST + APART * i64::try_from(late).unwrap_or(0));
    let since = Some(since.map_err(|error| error.to_string())?);
    let name = |at: usize| vec![names.get(at).cloned().unwrap_or_default()];
    let deny = || Some("deny".to_owned());
    let service = |number: u64| Some(format!("service-{number}"));
    let question = |wanted, since, fits: Box<dyn Fn(&Deed) -> bool>| Wanted {
        find: FindRecords { wanted, after: 0, limit: PAGE, newest: true },
        fits,
        since,
    };
    let all = Selection::default;
    Ok(vec![
        (
            "service, capability, verdict and since",
            question(
                Selection { service: service(7), capabilities: name(3), verdict: deny(), since, ..all() },
                late,
                Box::new(|deed| deed.service == 7 && deed.capability == 3 && deed.denied),
            ),
        ),
        (
            "a service that hardly acts, and verdict",
            question(
                Selection { service: service(SERVICES), verdict: deny(), ..all() },
                0,
                Box::new(|deed| deed.service == SERVICES && deed.denied),
            ),
        ),
        (
            "capability and verdict",
            question(
                Selection { capabilities: name(5), verdict: deny(), ..all() },
                0,
                Box::new(|deed| deed.capability == 5 && deed.denied),
            ),
        ),
        ("since", question(Selection { since, ..all() }, late, Box::new(|_| true))),
        (
            "what there is none of",
            question(Selection { service: service(7), kinds: vec![Kind::Tamper], ..all() }, 0, Box::new(|_| false)),
        ),
    ])
}
