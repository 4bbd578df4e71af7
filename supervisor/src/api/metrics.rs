//! `/metrics`: how Bartizan is, for Prometheus.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use actors::directory::Directory;
use actors::messages::{Attest, Gauges, Held, Restarts, ShowGauges, ShowHeldBack, ShowLeave, ShowQueues, ShowState};
use bpf::kernel::Map;
use policy::compiled::{DECIDED_MAX, EDGES_MAX, GLOBS_MAX, LABELS_MAX, NODES_MAX, OUTBOUND_MAX, STARTS_MAX};
use policy::model::State;

use super::exposition::Exposition;
use super::status::revision_number;

/// What a revision may have in a map, by the map's name.
const CAPACITY: [(&str, usize); 7] = [
    ("labels", LABELS_MAX),
    ("nodes", NODES_MAX),
    ("edges", EDGES_MAX),
    ("globs", GLOBS_MAX),
    ("starts", STARTS_MAX),
    ("rules", DECIDED_MAX),
    ("outbound", OUTBOUND_MAX),
];

/// States that enforcement can be in while the daemon runs.
const STATES: [&str; 3] = ["enforcing", "degraded", "disabled"];

pub(super) async fn metrics(directory: web::Data<Directory>) -> HttpResponse {
    let page = gather(&directory).await;
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(page.text())
}

/// Asks everybody. Who does not answer is left out, so that the others can still be read.
pub(super) async fn gather(directory: &Directory) -> Exposition {
    let mut page = Exposition::default();
    page.set("bartizan_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let since = Instant::now();
    page.set("bartizan_revision", &[], revision_number(directory).await);
    answered(&mut page, "policy keeper", since);
    let since = Instant::now();
    enforcement(&mut page, directory).await;
    answered(&mut page, "kernel link", since);
    for (class, count) in directory.decisions().counts() {
        let labels = [("why", class.why), ("access", class.access), ("verdict", class.verdict)];
        page.set("bartizan_decisions_total", &labels, count);
    }
    let events = directory.decisions().events();
    for name in ["violation", "observation", "service"] {
        page.set("bartizan_events_total", &[("event", name)], events.get(name).copied().unwrap_or(0));
    }
    services(&mut page, directory).await;
    queues(&mut page, directory).await;
    restarts(&mut page, directory).await;
    page
}

/// Messages wait in the mailbox of an actor one behind the other: the time until an answer is what tells how many there are.
fn answered(page: &mut Exposition, actor: &str, since: Instant) {
    page.set("bartizan_actor_answer_seconds", &[("actor", actor)], since.elapsed().as_secs_f64());
}

/// What waits on the way of records.
async fn queues(page: &mut Exposition, directory: &Directory) {
    let since = Instant::now();
    let Some(audit) = directory.audit() else { return };
    let Ok(queues) = audit.send(ShowQueues).await else { return };
    answered(page, "audit log", since);
    page.set("bartizan_trail_newest_record", &[], queues.newest);
    page.set("bartizan_trail_waiting_records", &[], queues.unwritten);
    page.set("bartizan_store_waiting_records", &[], queues.store);
    for sink in &queues.sinks {
        let of = [("sink", sink.name.as_str())];
        page.set("bartizan_sink_up", &of, u64::from(sink.up));
        page.set("bartizan_sink_waiting_records", &of, sink.waiting);
        page.set("bartizan_sink_skipped_records_total", &of, sink.skipped);
    }
}

async fn restarts(page: &mut Exposition, directory: &Directory) {
    let Some(root) = directory.root() else { return };
    let Ok(restarts) = root.send(Restarts).await else { return };
    // There may be hundreds of learners.
    let mut by_part = BTreeMap::<String, u64>::new();
    for (name, count) in restarts {
        let part = if name.starts_with("learner of ") { "learner".to_owned() } else { name };
        *by_part.entry(part).or_default() += count;
    }
    by_part.iter().for_each(|(name, count)| page.set("bartizan_actor_restarts_total", &[("actor", name)], *count));
}

async fn enforcement(page: &mut Exposition, directory: &Directory) {
    let mut state = "disabled";
    if let Some(kernel) = directory.kernel() {
        state = "degraded";
        if let Ok(Ok((held, maps))) = kernel.send(Attest).await
            && !held.off
        {
            if held.read_back.differences.is_empty() {
                state = "enforcing";
            }
            of_kernel(page, &held, &maps);
            if let Ok(Ok(gauges)) = kernel.send(ShowGauges).await {
                counted(page, &gauges);
            }
        }
    }
    STATES.iter().for_each(|one| page.set("bartizan_enforcement_state", &[("state", one)], u64::from(*one == state)));
}

fn of_kernel(page: &mut Exposition, held: &Held, maps: &[Map]) {
    page.set("bartizan_differences", &[], held.read_back.differences.len() as u64);
    for attached in [true, false] {
        let count = held.read_back.hooks.iter().filter(|hook| hook.attached == attached).count();
        let state = if attached { "attached" } else { "detached" };
        page.set("bartizan_hooks", &[("state", state)], count as u64);
    }
    for (kind, count) in &held.loss {
        // The other kinds are of tables and storage.
        let ring = if ["violations", "observations"].contains(&kind.as_str()) { kind } else { "" };
        page.set("bartizan_losses_total", &[("kind", kind), ("ring", ring)], *count);
    }
    for map in maps {
        page.set("bartizan_map_entries", &[("map", &map.name)], map.entries as u64);
        if let Some((_, capacity)) = CAPACITY.iter().find(|(name, _)| *name == map.name) {
            page.set("bartizan_map_capacity", &[("map", &map.name)], *capacity as u64);
        }
    }
}

fn counted(page: &mut Exposition, gauges: &Gauges) {
    for ring in &gauges.rings {
        page.set("bartizan_ring_waiting_bytes", &[("ring", &ring.name)], ring.waiting);
        page.set("bartizan_ring_size_bytes", &[("ring", &ring.name)], ring.size);
    }
    for (hook, decided) in &gauges.decided {
        for (verdict, count) in [("deny", decided.refused), ("audit", decided.audited)] {
            page.set("bartizan_hook_decisions_total", &[("hook", hook), ("verdict", verdict)], count);
        }
    }
}

async fn services(page: &mut Exposition, directory: &Directory) {
    let mut states = BTreeMap::<&str, u64>::new();
    for state in [State::Learning, State::Active, State::Manual, State::Archived] {
        states.insert(state.name(), 0);
    }
    let (holds, mut held, mut slowest) = (directory.holds(), 0_u64, Duration::ZERO);
    for (name, learner) in directory.learners() {
        let since = Instant::now();
        let Ok(state) = learner.send(ShowState).await else { continue };
        slowest = slowest.max(since.elapsed());
        *states.entry(state.name()).or_default() += 1;
        let learns = matches!(state, State::Learning | State::Manual);
        held += u64::from(learns && holds.left(&name).is_some());
    }
    page.set("bartizan_actor_answer_seconds", &[("actor", "learner")], slowest.as_secs_f64());
    page.set("bartizan_services_held", &[], held);
    states.iter().for_each(|(state, count)| page.set("bartizan_services", &[("state", state)], *count));
    let Some(keeper) = directory.keeper() else { return };
    if let Ok(permissive) = keeper.send(ShowLeave).await {
        page.set("bartizan_services_permissive", &[], permissive.len() as u64);
    }
    if let Ok(held_back) = keeper.send(ShowHeldBack).await {
        page.set("bartizan_services_held_back", &[], held_back.len() as u64);
    }
}
