use std::sync::Arc;

use tributary_proto::recall::v1::recall_service_server::RecallServiceServer;
use tributary_recall::{CacheConfig, ChannelService};

use crate::channel::TwoTower;

/// The channel behind the contract of all channels.
pub(crate) fn service(
    channel: Arc<TwoTower>,
    cache: &CacheConfig,
) -> RecallServiceServer<ChannelService<TwoTower>> {
    tributary_recall::service("two-tower", channel, cache)
}
