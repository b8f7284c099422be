//! One file a command.

mod bundle;
mod event;
mod explain;
mod explanation;
mod items;
mod recommend;

pub(crate) use bundle::bundle;
pub(crate) use event::event;
pub(crate) use explain::explain;
pub(crate) use explanation::component_and_reason;
pub(crate) use items::{items, read, upsert};
pub(crate) use recommend::recommend;
