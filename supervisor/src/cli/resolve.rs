//! `bartizan policy resolve`: what a name of the policy means on this host.

use std::path::{Path, PathBuf};

use actors::host::ThisHost;
use policy::access::Access;
use policy::capability::{Bits, Catalogue, program_paths};
use policy::compile::{Input, compile};
use policy::distribution;
use policy::explain::Walk;
use policy::host::HostFacts as _;
use policy::locate::real;
use serde::Serialize;

use super::client::Trouble;
use super::line::Line;
use super::screen::Screen;
use super::{policy_files, tell_of};
use crate::{BAD_INPUT, CANNOT, FINDING, GOOD};

/// A place that a name stands for.
#[derive(Debug, Serialize)]
struct Meaning {
    /// The path as the policy means it.
    path: PathBuf,
    /// Where it leads, if there is something.
    leads_to: Option<PathBuf>,
    /// What touching it needs.
    needs: Vec<String>,
    /// What of that is known from documents only, or is the name of a certain distribution.
    remarks: Vec<String>,
}

/// `name`: a path, or the bare name of a program. `files`: the policy, for the operator's capabilities.
pub(super) fn resolve(name: &str, files: &Path, json: bool) -> Result<u8, Trouble> {
    let paths: Vec<PathBuf> = match name.strip_prefix('~') {
        Some(rest) => ThisHost.homes().iter().map(|home| home.join(rest.trim_start_matches('/'))).collect(),
        None if name.starts_with('/') => vec![PathBuf::from(name)],
        None if !name.is_empty() && !name.contains('/') => program_paths(name).map(PathBuf::from).collect(),
        None => {
            return Err(Trouble::new(BAD_INPUT, format!("expected a path, or the bare name of a program: `{name}`")));
        }
    };
    let files = policy_files::read(files).map_err(|error| Trouble::new(BAD_INPUT, error))?;
    let policy = actors::assemble::policy(&files, &Bits::new())
        .map_err(|problems| Trouble { status: BAD_INPUT, lines: problems.iter().map(ToString::to_string).collect() })?;
    let compiled = compile(&Input { policy: &policy, services: &[], own: &[] }, &ThisHost)
        .map_err(|error| Trouble::new(CANNOT, error.to_string()))?;
    let release = ThisHost.release();
    let here = distribution::on(&policy.catalogue, &release);
    let (walk, mounts) = (Walk::new(&compiled), ThisHost.mounts());
    let meaning = |path: PathBuf| {
        let leads_to = ThisHost.canonical(&path);
        let label = walk.label_at(&real(&path, &ThisHost), &mounts);
        let of = |access: Access| {
            let names = policy.catalogue.names(label.need.get(access));
            names.into_iter().map(move |name| format!("{name}.{}", access.name()))
        };
        let remarks = remarks(&here, &path);
        Meaning { path, leads_to, needs: Access::ALL.into_iter().flat_map(of).collect(), remarks }
    };
    if !json && !release.is_known() {
        eprintln!("bartizan: {}", release.in_words());
    }
    let found: Vec<Meaning> = paths.into_iter().map(meaning).collect();
    tell_of(json, &found, |screen| found.iter().try_for_each(|one| people(screen, one)))?;
    Ok(if found.iter().any(|one| one.leads_to.is_some()) { GOOD } else { FINDING })
}

/// What is to be known about the names of the catalogue that stand for exactly this path.
fn remarks(catalogue: &Catalogue, path: &Path) -> Vec<String> {
    let stands = |text: &str| Path::new(text) == path || program_paths(text).any(|one| Path::new(&one) == path);
    let names = catalogue.iter().flat_map(|one| one.every_name().map(move |(access, text)| (one, access, text)));
    let named = names.filter(|(_, _, text)| stands(text));
    named
        .filter_map(|(one, access, text)| {
            let remark = one.marks.get(text)?.remark()?;
            Some(format!("{}.{} by {text}: {remark}", one.name, access.name()))
        })
        .collect()
}

fn people(screen: &mut Screen, one: &Meaning) -> Result<(), Trouble> {
    let leads = match &one.leads_to {
        None => "is not there".to_owned(),
        Some(real) if *real == one.path => "is there".to_owned(),
        Some(real) => format!("leads to {}", real.display()),
    };
    let needs = if one.needs.is_empty() { "nothing".to_owned() } else { one.needs.join(", ") };
    screen.line(Line::from(format!("{} {leads}; touching it needs {needs}", one.path.display())).hang(4))?;
    one.remarks.iter().try_for_each(|remark| screen.line(Line::from(format!("    {remark}")).hang(4)))
}
