//! Followers of the feature service's two logs: item changes and behaviour events.
//!
//! Every process that needs the catalogue or live counts follows a log in the same way: it starts
//! from nothing, applies what it is sent, and after a lost connection carries on from the last
//! entry it applied. That loop lives here once; a service only says what to do with the entries.

mod backoff;
mod catalog;
mod error;
mod events;
mod follow;
mod items;
mod metrics;
mod state;

pub use catalog::{Catalog, CatalogSnapshot};
pub use error::FollowError;
pub use events::{EventSink, SegmentedEvent, follow_events};
pub use items::{ItemSink, follow_items};
pub use state::{FollowState, Follower};
