//! What systemd says about units, by `systemctl show`: one call for any number of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use policy::maturity::Unit;
use tokio::process::Command;

/// How long systemd may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is asked of services; each is in org.freedesktop.systemd1(5).
const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,Type,KillMode,Result,InvocationID,CanReload,ExecReload,TriggeredBy,\
    ActiveEnterTimestampMonotonic,StateChangeTimestampMonotonic,InactiveExitTimestampMonotonic,ExecMainExitTimestampMonotonic";
/// What is asked of timers.
const OF_TIMERS: &str = "Id,LastTriggerUSecMonotonic";
/// How long after its timer has elapsed a service may start: others may have to be started first.
const START_AFTER: u64 = 90_000_000;
/// A timer's own time stamp is taken after the start was ordered.
const START_BEFORE: u64 = 1_000_000;

type Properties = BTreeMap<String, Vec<String>>;

/// The units of these services, by service.
pub async fn ask(services: &BTreeSet<String>) -> Result<BTreeMap<String, Vec<Unit>>, String> {
    if services.is_empty() {
        return Ok(BTreeMap::new());
    }
    let shown = show(PROPERTIES, services.iter().map(|name| pattern(name))).await?;
    let blocks = parse(&shown);
    let timers: BTreeSet<&str> = blocks.iter().flat_map(timers_of).collect();
    let last = if timers.is_empty() {
        BTreeMap::new()
    } else {
        triggers(&parse(&show(OF_TIMERS, timers.iter().map(|name| (*name).to_owned())).await?))
    };
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    let mut found: BTreeMap<String, Vec<Unit>> = BTreeMap::new();
    for block in &blocks {
        let unit = unit(block, &last, micros(now));
        found.entry(service_of(&unit.name)).or_default().push(unit);
    }
    Ok(found)
}

async fn show(properties: &str, units: impl Iterator<Item = String>) -> Result<String, String> {
    let mut command = Command::new("systemctl");
    command.args(["show", "-p", properties, "--"]).args(units).env("LC_ALL", "C").kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output())
        .await
        .map_err(|_| format!("`systemctl show` gave no answer within {} s", PATIENCE.as_secs()))?
        .map_err(|error| format!("`systemctl show` cannot be run: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`systemctl show` failed: {}", said.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The unit, or a pattern for all instances of a template, in which a backslash would stand for what follows it.
fn pattern(service: &str) -> String {
    match service.strip_suffix('@') {
        Some(template) => format!("{}@*.service", template.replace('\\', "\\\\")),
        None => format!("{service}.service"),
    }
}

/// The service that the kernel's side takes a unit for.
fn service_of(unit: &str) -> String {
    let name = unit.strip_suffix(".service").unwrap_or(unit);
    name.find('@').and_then(|at| name.get(..=at)).unwrap_or(name).to_owned()
}

/// One block per unit, with an empty line between them. A property may come several times.
fn parse(shown: &str) -> Vec<Properties> {
    let mut blocks = vec![Properties::new()];
    for line in shown.lines() {
        if line.is_empty() {
            blocks.push(Properties::new());
        } else if let (Some((name, value)), Some(block)) = (line.split_once('='), blocks.last_mut()) {
            block.entry(name.to_owned()).or_default().push(value.to_owned());
        }
    }
    blocks.retain(|block| block.contains_key("Id"));
    blocks
}

fn value<'a>(block: &'a Properties, name: &str) -> &'a str {
    block.get(name).and_then(|values| values.first()).map_or("", String::as_str)
}

fn number(block: &Properties, name: &str) -> u64 {
    value(block, name).parse().unwrap_or(0)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn timers_of(block: &Properties) -> impl Iterator<Item = &str> {
    value(block, "TriggeredBy").split_whitespace().filter(|name| name.ends_with(".timer"))
}

/// When each timer has elapsed last, in microseconds of the monotonic clock.
fn triggers(blocks: &[Properties]) -> BTreeMap<String, u64> {
    let last = |block: &Properties| timespan(value(block, "LastTriggerUSecMonotonic")).filter(|at| *at > 0);
    blocks.iter().filter_map(|block| Some((value(block, "Id").to_owned(), last(block)?))).collect()
}

fn unit(block: &Properties, triggers: &BTreeMap<String, u64>, now: u64) -> Unit {
    let entered = number(block, "ActiveEnterTimestampMonotonic");
    let started = number(block, "InactiveExitTimestampMonotonic");
    let state = value(block, "ActiveState");
    let active = matches!(state, "active" | "reloading") && entered > 0;
    let over = state == "inactive" || value(block, "SubState") == "exited";
    let timed = timers_of(block).next().is_some();
    let to_its_end = timed || value(block, "Type") == "oneshot";
    let after = |at: &u64| started.saturating_add(START_BEFORE) >= *at && started <= at.saturating_add(START_AFTER);
    Unit {
        name: value(block, "Id").to_owned(),
        loaded: value(block, "LoadState") != "not-found",
        invocation: Some(value(block, "InvocationID").to_owned()).filter(|id| !id.is_empty()),
        up: active.then(|| Duration::from_micros(now.saturating_sub(entered))),
        finished: over
            && to_its_end
            && value(block, "Result") == "success"
            && number(block, "ExecMainExitTimestampMonotonic") > 0,
        // systemd.kill(5): the other modes leave processes in the unit's cgroup.
        stops_whole: matches!(value(block, "KillMode"), "control-group" | "mixed"),
        reloads: value(block, "CanReload") == "yes",
        reload: reload(block).or_else(|| (active && notified(block)).then(|| number(block, STATE_CHANGE).to_string())),
        timed,
        by_timer: timers_of(block).filter_map(|timer| triggers.get(timer)).any(after),
    }
}

const STATE_CHANGE: &str = "StateChangeTimestampMonotonic";

/// Whether a unit that reloads by a signal (`Type=notify-reload`) has done so: it was not running all the time, and
/// has not been anything but active.
fn notified(block: &Properties) -> bool {
    value(block, "Type") == "notify-reload"
        && value(block, "SubState") == "running"
        && number(block, STATE_CHANGE) > number(block, "ActiveEnterTimestampMonotonic")
}

/// The last run of a command of `ExecReload=`, which systemd forgets with the next start:
/// `{ path=/bin/kill ; … ; start_time=[Sat 2026-11-28 11:11:33 UTC] ; … ; pid=408 ; … }`.
fn reload(block: &Properties) -> Option<String> {
    let mut runs = block.get("ExecReload")?.iter().filter_map(|line| {
        let (_, rest) = line.rsplit_once(" ; start_time=[")?;
        let (time, rest) = rest.split_once(']')?;
        let (_, rest) = rest.split_once(" ; pid=")?;
        let pid = rest.split(' ').next().filter(|pid| *pid != "0")?;
        Some(format!("{time} {pid}"))
    });
    runs.next_back()
}

/// A span of time as systemd prints it, `1min 13.654364s`, in microseconds.
fn timespan(text: &str) -> Option<u64> {
    const UNITS: [(&str, f64); 9] = [
        ("month", 2_629_800e6),
        ("us", 1.0),
        ("ms", 1e3),
        ("min", 60e6),
        ("s", 1e6),
        ("h", 3600e6),
        ("d", 86_400e6),
        ("w", 604_800e6),
        ("y", 31_557_600e6),
    ];
    let mut sum = 0.0;
    for word in text.split_whitespace() {
        let (_, factor, number) = UNITS
            .iter()
            .find_map(|(unit, factor)| Some((unit, factor, word.strip_suffix(unit)?.parse::<f64>().ok()?)))?;
        sum += number * factor;
    }
    // Months and years are as long as systemd takes them for; far from any that a host is up.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (sum > 0.0).then_some(sum as u64)
}

#[cfg(test)]
#[path = "systemd/tests.rs"]
mod tests;
