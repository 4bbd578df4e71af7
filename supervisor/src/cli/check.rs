//! `bartizan policy check`.

use std::path::Path;

use actors::clock::now_ms;
use actors::record::escape;
use actors::revision_store::PolicyFile;
use actors::{assemble, host, units};
use policy::capability::Bits;
use policy::check::{self, Finding, Weight};
use policy::rule::Policy;

use super::client::Trouble;
use super::revisions::files;
use crate::{BAD_INPUT, FINDING, GOOD};

/// Says what is wrong, and what is in vain. With `strict`, findings are the exit status.
pub(super) fn check(path: &Path, strict: bool) -> Result<u8, Trouble> {
    let files = files(path)?;
    let policy = match assemble::policy(&files, &Bits::new()) {
        Ok(policy) => policy,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            return Ok(BAD_INPUT);
        }
    };
    let found = of(&policy);
    print(&found);
    let findings = found.iter().filter(|one| one.weight == Weight::Finding).count();
    let counts = format!("{} files, {} rules", files.len(), policy.rules.len());
    match findings {
        0 => println!("{counts}: good"),
        _ => println!("{counts}: they may be applied, with {findings} findings"),
    }
    Ok(if strict && findings > 0 { FINDING } else { GOOD })
}

/// What is in vain in files that the daemon has taken.
pub(super) fn findings(files: &[PolicyFile]) -> Vec<Finding> {
    assemble::policy(files, &Bits::new()).map(|policy| of(&policy)).unwrap_or_default()
}

fn of(policy: &Policy) -> Vec<Finding> {
    check::findings(policy, now_ms(), &host::name(), units::units().as_ref())
}

pub(super) fn print(found: &[Finding]) {
    found.iter().for_each(|one| println!("{}", escape(&one.to_string())));
}
