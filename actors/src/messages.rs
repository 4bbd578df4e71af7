//! Every message between actors, by whom it goes to.

mod audit_log;
mod kernel_link;
mod models;
mod policy_keeper;
mod root;

pub use audit_log::*;
pub use kernel_link::*;
pub use models::*;
pub use policy_keeper::*;
pub use root::*;
