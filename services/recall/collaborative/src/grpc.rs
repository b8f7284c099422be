use std::sync::Arc;

use tributary_proto::recall::v1::recall_service_server::RecallServiceServer;
use tributary_recall::{CacheConfig, ChannelService};

use crate::channel::Neighbours;

/// The channel behind the contract of all channels.
pub(crate) fn service(
    neighbours: Arc<Neighbours>,
    cache: &CacheConfig,
) -> RecallServiceServer<ChannelService<Neighbours>> {
    tributary_recall::service("collaborative", neighbours, cache)
}
