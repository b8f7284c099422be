use std::sync::Arc;

use tributary_proto::recall::v1::recall_service_server::RecallServiceServer;
use tributary_recall::{CacheConfig, ChannelService};

use crate::channel::MultiInterest;

/// The channel behind the contract of all channels.
pub(crate) fn service(
    channel: Arc<MultiInterest>,
    cache: &CacheConfig,
) -> RecallServiceServer<ChannelService<MultiInterest>> {
    tributary_recall::service("multi-interest", channel, cache)
}
