//! The hooks: what each takes on this kernel, and the program that was chosen for that.

use bpf::support::{Surveyed, survey};

use super::{Finding, State};

const MEND: &str = "use a kernel that Bartizan knows (6.1 or newer), or a newer Bartizan: a program that does not fit its hook \
                    would misread what it is given";

pub(super) fn hooks() -> Vec<Finding> {
    match survey() {
        Ok(hooks) => hooks.into_iter().map(hook).collect(),
        Err(error) => vec![Finding::needed("hooks", false, error.to_string(), MEND)],
    }
}

fn hook(surveyed: Surveyed) -> Finding {
    let what = format!("hook {}", surveyed.hook);
    let takes = format!("({})", surveyed.prototype.unwrap_or_default().join(", "));
    let kind = if surveyed.traced { ", traced," } else { "" };
    match surveyed.program {
        Ok(Some(program)) => Finding::new(&what, State::Good, format!("{takes}{kind} by program {program}"), MEND),
        Ok(None) => Finding {
            what,
            state: State::Note,
            seen: "this kernel does not have it; Bartizan does without".to_owned(),
            mend: Some("a newer kernel has it, see docs/configuration.md"),
        },
        Err(error) => Finding::needed(&what, false, error.to_string(), MEND),
    }
}
