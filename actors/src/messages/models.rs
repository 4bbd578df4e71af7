//! To the registry and to learners, who keep the models.

use std::collections::BTreeSet;

use actix::prelude::*;
use bpf::event::{Act, Event};
use policy::export::Export;
use policy::knowledge::Knowledge;
use policy::maturity::{Maturity, Unit};
use policy::model::{Model, State};

/// To [`crate::registry::Registry`]: the kernel told something about a service.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Told(pub Event);

/// To [`crate::registry::Registry`]: a service may have started.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Look;

/// To [`crate::registry::Registry`]: whom shall I ask about this service?
#[derive(Debug, Message)]
#[rtype(result = "Option<Addr<crate::learner::Learner>>")]
pub struct Find(pub String);

/// To [`crate::registry::Registry`]: every model, as its learner holds it.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Model>")]
pub struct Models;

/// To a [`crate::learner::Learner`]: the service did something that its model may lack. An error says why it has to be given
/// again.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Observed(pub Box<Act>);

/// To a [`crate::learner::Learner`]: programs that the service runs already.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Running(pub BTreeSet<String>);

/// To a [`crate::learner::Learner`]: change the state. Answers when the kernel holds the change.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Enter {
    /// The state.
    pub state: State,
    /// Who asked.
    pub by: String,
}

/// To a [`crate::learner::Learner`]: its state.
#[derive(Debug, Message)]
#[rtype(result = "State")]
pub struct ShowState;

/// To a [`crate::learner::Learner`]: since when its model has been in the archive, milliseconds since 1970, UTC, if nobody
/// would miss it: its service was still learning.
#[derive(Debug, Message)]
#[rtype(result = "Option<i64>")]
pub struct ShowUnmissed;

/// To a [`crate::learner::Learner`]: remove a model that nobody would miss, and end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Forget;

/// To a [`crate::learner::Learner`]: how far it has come.
#[derive(Debug, Message)]
#[rtype(result = "Maturity")]
pub struct ShowMaturity;

/// To a [`crate::learner::Learner`]: what the kernel and systemd say about its units.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct UnitNow {
    /// Whether the service has a cgroup.
    pub running: bool,
    /// Whether it ran before the programs were loaded.
    pub earlier: bool,
    /// Its units; nothing where systemd was not asked or did not answer.
    pub units: Option<Vec<Unit>>,
    /// Whether it was found that it has a unit file, though none of its units is loaded.
    pub file: bool,
}

/// To a [`crate::learner::Learner`]: what other hosts know of the service. Answers with what was new, when the kernel
/// holds it.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<String>, String>")]
pub struct Join {
    /// What they know.
    pub known: Box<Knowledge>,
    /// Who asked.
    pub by: String,
}

/// To [`crate::registry::Registry`]: what other hosts know, whole or not at all. Answers with what was new in words.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<String>, NotImported>")]
pub struct Import {
    /// What they know.
    pub export: Box<Export>,
    /// Who asked.
    pub by: String,
}

/// Why an [`Import`] has no good answer; one line per problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotImported {
    /// The export does not fit this host. Nothing has changed.
    Wrong(Vec<String>),
    /// Nothing is wrong with the export; the last line says whether it counts.
    Failed(Vec<String>),
}

/// To a [`crate::learner::Learner`]: the model as it is now.
#[derive(Debug, Message)]
#[rtype(result = "Model")]
pub struct Show;
