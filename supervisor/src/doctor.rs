//! `bartizan doctor`: one line per requirement, each with the mend. It changes nothing and needs no daemon.

mod hooks;
mod kernel;
mod machine;

use serde::Serialize;

use crate::cli::{Line, Paint, Screen, Trouble, Waiting, tell_of};
use crate::{CANNOT, GOOD};

/// How a requirement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is met.
    Good,
    /// Without it nothing can be enforced.
    Bad,
    /// Enforcement works, with the limit that is told.
    Note,
}

/// One requirement.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at.
    what: String,
    state: State,
    /// What was found.
    seen: String,
    /// What to do about it; null where nothing has to be done.
    mend: Option<&'static str>,
}

impl Finding {
    fn new(what: &str, state: State, seen: impl Into<String>, mend: &'static str) -> Finding {
        let mend = (state != State::Good).then_some(mend);
        Finding { what: what.to_owned(), state, seen: seen.into(), mend }
    }

    fn needed(what: &str, good: bool, seen: impl Into<String>, mend: &'static str) -> Finding {
        Finding::new(what, if good { State::Good } else { State::Bad }, seen, mend)
    }
}

/// `doctor --json`.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether no finding is bad.
    can_enforce: bool,
    findings: Vec<Finding>,
}

/// Checks everything and prints it; the exit status.
pub(crate) fn run(json: bool) -> Result<u8, Trouble> {
    let waiting = Waiting::until("examining this machine");
    let report = examine();
    drop(waiting);
    tell_of(json, &report, |screen| print(screen, &report))?;
    Ok(if report.can_enforce { GOOD } else { CANNOT })
}

fn examine() -> Report {
    let mut findings = vec![machine::user(), kernel::version()];
    let list = kernel::lsm_list();
    let listed = list.state == State::Good;
    findings.extend([list, kernel::btf()]);
    findings.extend(hooks::hooks());
    findings.extend([kernel::load(listed), kernel::lockdown(), kernel::ima(), kernel::storage()]);
    findings.extend([
        machine::hierarchy(),
        machine::bpffs(),
        machine::memory(),
        machine::distribution(),
        machine::switch(),
    ]);
    Report { can_enforce: findings.iter().all(|finding| finding.state != State::Bad), findings }
}

fn print(screen: &mut Screen, report: &Report) -> Result<(), Trouble> {
    for finding in &report.findings {
        let (paint, mark) = match finding.state {
            State::Good => (Paint::Good, "good"),
            State::Bad => (Paint::Bad, "BAD "),
            State::Note => (Paint::Note, "note"),
        };
        let text = format!("  {}: {}", finding.what, finding.seen);
        screen.line(Line::default().then(paint, mark).then(Paint::Plain, text).hang(6))?;
        if let Some(mend) = finding.mend {
            screen.line(Line::from(format!("      mend: {mend}")).hang(12))?;
        }
    }
    let verdict =
        if report.can_enforce { "can enforce on this machine" } else { "cannot enforce on this machine as it is" };
    screen.line(format!("Bartizan {verdict}."))
}
