//! `bartizan simulate`.

use std::path::Path;

use hyper::Method;
use policy::simulate::Refused;

use super::client::{Trouble, ask};
use super::revisions::{body, files, parsed, seconds};
use super::tell;
use crate::api::{SimulateRequest, Simulation};
use crate::{FINDING, GOOD};

pub(super) fn simulate(policy: &Path, since: Option<&str>, json: bool) -> Result<u8, Trouble> {
    let since = since.map(seconds).transpose()?;
    let request = SimulateRequest { files: files(policy)?, since };
    let answer = ask(Method::POST, "/v1/simulate", body(&request)?)?;
    let found: Simulation = parsed(&answer.text)?;
    tell(json, &answer.text, |screen| {
        found.refused.iter().try_for_each(|one| screen.line(line(one)))?;
        let refused: u64 = found.refused.iter().map(|one| one.count).sum();
        screen.line(format!("{refused} of {} acts that are known would have been refused", found.deeds))
    })?;
    Ok(if found.refused.is_empty() { GOOD } else { FINDING })
}

fn line(one: &Refused) -> String {
    let Refused { service, what, rule, count, first, exe, object } = one;
    let by = rule
        .as_ref()
        .map_or_else(|| "as its model does not have it".to_owned(), |rule| format!("by the rule `{rule}`"));
    format!("{service}: {what}, {count} times, {by}; first {first}: {exe}, {object}")
}
