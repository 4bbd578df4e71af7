//! To Root, which supervises.

use std::collections::BTreeMap;

use actix::prelude::*;

/// To [`crate::root::Root`]: a child is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Exited {
    /// The child's name.
    pub name: String,
    /// Whether it panicked.
    pub panicking: bool,
}

/// To [`crate::root::Root`]: the daemon ends, so children that end from now on are not built anew.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Retire;

/// To [`crate::root::Root`]: how often each child was built anew.
#[derive(Debug, Message)]
#[rtype(result = "BTreeMap<String, u64>")]
pub struct Restarts;

/// To [`crate::root::Root`]: the child of this name ends for good.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Dismiss(pub String);

/// To [`crate::root::Root`]: keep this child running.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Supervise(pub crate::root::Child);
