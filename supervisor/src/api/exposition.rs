//! Metrics as text, in the format that Prometheus reads (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

/// Every metric: its name, its type, and what it tells.
pub(super) const METRICS: &[(&str, &str, &str)] = &[
    ("bartizan_build_info", "gauge", "Always 1; the label has the version."),
    ("bartizan_enforcement_state", "gauge", "1 for the state that enforcement is in, read back from the kernel."),
    ("bartizan_differences", "gauge", "How many ways the kernel differs in from the revision in force."),
    ("bartizan_hooks", "gauge", "Hooks in use, by whether the program is attached."),
    ("bartizan_revision", "gauge", "Number of the revision in force."),
    (
        "bartizan_decisions_total",
        "counter",
        "Acts that the kernel denied or recorded since the daemon started, repeats and floods included.",
    ),
    (
        "bartizan_hook_decisions_total",
        "counter",
        "Acts that the kernel denied or recorded since the programs were loaded, by hook.",
    ),
    ("bartizan_events_total", "counter", "Events that the kernel delivered since the daemon started."),
    ("bartizan_losses_total", "counter", "What could not be kept or told since the programs were loaded, by kind."),
    ("bartizan_map_entries", "gauge", "Entries of the revision in force that the kernel's maps hold."),
    ("bartizan_map_capacity", "gauge", "Entries that a revision may have in a map."),
    ("bartizan_services", "gauge", "Known services, by the state of their models."),
    ("bartizan_services_permissive", "gauge", "Services that are refused nothing for a while."),
    ("bartizan_services_held_back", "gauge", "Services that learn on, as they would be locked out."),
    ("bartizan_services_held", "gauge", "Services that learn nothing for a while, as evidence was lost."),
    ("bartizan_ring_waiting_bytes", "gauge", "What waits in a ring buffer of the kernel to be read."),
    ("bartizan_ring_size_bytes", "gauge", "What a ring buffer of the kernel holds."),
    ("bartizan_trail_newest_record", "gauge", "Id of the newest record of the audit trail."),
    ("bartizan_trail_waiting_records", "gauge", "Records that the audit trail cannot take yet, as on a full disk."),
    ("bartizan_store_waiting_records", "gauge", "Records that the store for queries has yet to take in."),
    ("bartizan_sink_up", "gauge", "1: the sink took what it was given last."),
    ("bartizan_sink_waiting_records", "gauge", "Records that wait for the sink."),
    ("bartizan_sink_skipped_records_total", "counter", "Records that the sink did not get since the daemon started."),
    ("bartizan_actor_answer_seconds", "gauge", "How long a part of the daemon took to answer for this page."),
    ("bartizan_actor_restarts_total", "counter", "How often a part of the daemon was built anew since it started."),
];

/// Values by metric and labels.
#[derive(Default)]
pub(super) struct Exposition(BTreeMap<&'static str, Vec<(String, String)>>);

impl Exposition {
    /// Enters a value. A metric that is not listed is shown by no page, which a test would notice.
    pub(super) fn set(&mut self, name: &'static str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.0.entry(name).or_default().push((labels, value.to_string()));
    }

    /// The page.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (name, kind, help) in METRICS {
            let Some(values) = self.0.get(name) else { continue };
            // Writing to a String does not fail.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            for (labels, value) in values {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        }
        text
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_prometheus_reads() {
        let mut page = Exposition::default();
        page.set("bartizan_services", &[("state", "active")], 3);
        page.set("bartizan_services", &[("state", "odd\"\\\n")], 1);
        page.set("bartizan_revision", &[], 7);
        let expected = "# HELP bartizan_revision Number of the revision in force.\n# TYPE bartizan_revision gauge\n\
                        bartizan_revision 7\n\
                        # HELP bartizan_services Known services, by the state of their models.\n# TYPE bartizan_services gauge\n\
                        bartizan_services{state=\"active\"} 3\nbartizan_services{state=\"odd\\\"\\\\\\n\"} 1\n";
        assert_eq!(page.text(), expected);
    }

    #[test]
    fn names_follow_the_custom() {
        for (name, kind, help) in METRICS {
            assert_eq!(name.ends_with("_total"), *kind == "counter", "{name}");
            assert!(name.starts_with("bartizan_") && help.ends_with('.'), "{name}");
        }
        let mut names: Vec<&str> = METRICS.iter().map(|(name, ..)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METRICS.len());
    }

    #[test]
    fn the_dashboard_asks_for_what_there_is() {
        let board: serde_json::Value = serde_json::from_str(include_str!("../../dist/grafana-dashboard.json")).unwrap();
        let mut asked = Vec::new();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                asked.push(target["expr"].as_str().unwrap().to_owned());
            }
        }
        assert!(asked.len() >= METRICS.len() / 2, "{asked:?}");
        let word = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '_');
        let mut used: Vec<&str> = asked.iter().flat_map(|text| text.split(word)).collect();
        used.retain(|name| name.starts_with("bartizan_"));
        for name in &used {
            assert!(METRICS.iter().any(|(known, ..)| known == name), "the dashboard asks for {name}");
        }
        for (name, ..) in METRICS.iter().filter(|(name, ..)| *name != "bartizan_build_info") {
            assert!(used.contains(name), "no panel shows {name}");
        }
    }

    #[test]
    fn every_metric_is_documented() {
        let documentation = include_str!("../../../docs/api.md");
        for (name, kind, _) in METRICS {
            assert!(documentation.contains(&format!("| `{name}` | {kind} |")), "docs/api.md does not explain {name}");
        }
    }
}
