//! What the configuration says about learning.

use std::time::Duration;

use policy::maturity::Graduation;

/// How services learn, and when they are put away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// When a model counts.
    pub graduation: Graduation,
    /// How long a unit is gone before its model is archived.
    pub archive_after: Duration,
}
