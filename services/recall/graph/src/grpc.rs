use std::sync::Arc;

use tributary_proto::recall::v1::recall_service_server::RecallServiceServer;
use tributary_recall::{CacheConfig, ChannelService};

use crate::channel::Graph;

/// The channel behind the contract of all channels.
pub(crate) fn service(
    channel: Arc<Graph>,
    cache: &CacheConfig,
) -> RecallServiceServer<ChannelService<Graph>> {
    tributary_recall::service("graph", channel, cache)
}
