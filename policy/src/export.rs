//! What models know, as a text that travels between hosts: JSON in plain ASCII, so that no name in it can act on a
//! terminal. Joining two of them is the join of what they know of each service.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::knowledge::{Knowledge, gains};
use crate::model::Model;

/// Version of the format that this build writes.
pub const FORMAT: u32 = 3;
/// The first format of exports.
const FIRST: u32 = 2;
/// Longest name of a service, in bytes (systemd.unit(5)).
const SERVICE_MAX: usize = 255;

/// Models of any number of services, without where these stand on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Version of the format.
    bartizan_models: u32,
    /// What is known, by service.
    pub models: BTreeMap<String, Knowledge>,
}

/// Tells what the rest has to be.
#[derive(Deserialize)]
struct Head {
    bartizan_models: u32,
}

/// One thing that differs between two exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The service.
    pub service: String,
    /// Whether the second has it, or the first.
    pub gained: bool,
    /// `SHELL.execute (web-2: /usr/bin/dash by /usr/sbin/nginx)`.
    pub what: String,
}

impl Export {
    /// An export of these models.
    pub fn of<'a>(models: impl IntoIterator<Item = &'a Model>) -> Export {
        let models = models.into_iter().map(|model| (model.service.clone(), model.knowledge())).collect();
        Export { bartizan_models: FORMAT, models }
    }

    /// Reads a text whole, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Export, String> {
        let told = |error: serde_json::Error| format!("it is no export of models: {error}");
        let Head { bartizan_models: format } = serde_json::from_str(text).map_err(told)?;
        if format > FORMAT {
            return Err(format!(
                "it has format {format}, and this Bartizan reads up to format {FORMAT}: use the Bartizan that wrote it, or a newer one"
            ));
        }
        if format < FIRST {
            return Err(format!("it has format {format}, and exports begin with format {FIRST}"));
        }
        let mut export: Export = serde_json::from_str(text).map_err(told)?;
        // What is made of it is written in this one.
        export.bartizan_models = FORMAT;
        export.problem().map_or(Ok(export), Err)
    }

    /// What keeps it from being one, if anything does.
    pub fn problem(&self) -> Option<String> {
        self.models.iter().find_map(|(service, known)| {
            let odd = |letter: char| letter.is_control() || letter == '/';
            if service.is_empty() || service.len() > SERVICE_MAX || service.contains(odd) {
                return Some(format!("expected the name of a service: {service:?}"));
            }
            known.problem().map(|problem| format!("the model of {service}: {problem}"))
        })
    }

    /// The text.
    pub fn text(&self) -> Result<String, String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        let mut plain = ascii(&text);
        plain.push('\n');
        Ok(plain)
    }

    /// Joins another one, or says what would be more than a model holds.
    pub fn join(&mut self, other: &Export) -> Result<(), String> {
        for (service, known) in &other.models {
            self.models.entry(service.clone()).or_default().join(known);
        }
        self.problem().map_or(Ok(()), Err)
    }

    /// What the second has and this one has not, and the other way round.
    pub fn differences(&self, second: &Export) -> Vec<Difference> {
        let mut found = side(self, second, true);
        found.extend(side(second, self, false));
        found.sort_by(|one, other| (&one.service, &one.what).cmp(&(&other.service, &other.what)));
        found
    }
}

fn side(from: &Export, to: &Export, gained: bool) -> Vec<Difference> {
    let nothing = Knowledge::default();
    let of = |(service, known): (&String, &Knowledge)| {
        let before = from.models.get(service);
        let mut lines = gains(before.unwrap_or(&nothing), known);
        if before.is_none() && lines.is_empty() {
            lines.push("a model that knows nothing yet".to_owned());
        }
        lines.into_iter().map(|what| Difference { service: service.clone(), gained, what }).collect::<Vec<_>>()
    };
    to.models.iter().flat_map(of).collect()
}

/// JSON in which everything but printable ASCII is an escape; outside of strings there is nothing else.
fn ascii(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    let mut units = [0u16; 2];
    for letter in json.chars() {
        if letter == '\n' || (letter.is_ascii() && !letter.is_ascii_control()) {
            plain.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut units) {
            // Writing to a String cannot fail.
            let _ = write!(plain, "\\u{unit:04x}");
        }
    }
    plain
}

#[cfg(test)]
#[path = "export/tests.rs"]
pub(crate) mod tests;
