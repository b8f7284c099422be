//! What all recall channels share: the [`Channel`] trait, its cache of batches, and its one gRPC
//! adapter.
//!
//! A channel only says which items it would propose for a context. Everything a caller may rely on
//! beyond that — limits, order, no repeats, no seen items, pages, single-flight computation — is
//! made here once, so that no channel can get it wrong on its own.

mod batch;
mod bundled;
mod cache;
mod channel;
mod error;
mod following;
mod grpc;
mod live;
mod metrics;
mod serve;
pub mod vectors;
mod workers;

pub use bundled::Bundled;
pub use cache::{CacheConfig, Lists};
pub use channel::{Channel, Query, Recalled};
pub use error::RecallError;
pub use following::{Following, FollowingConfig, FollowingError};
pub use grpc::{ChannelService, service};
pub use live::{Live, LiveConfig};
pub use serve::serve;
pub use workers::{Workers, WorkersConfig};
