use std::sync::Arc;

use tributary_proto::recall::v1::recall_service_server::RecallServiceServer;
use tributary_recall::{CacheConfig, ChannelService};

use crate::channel::Popular;

/// The channel behind the contract of all channels.
pub(crate) fn service(
    channel: Arc<Popular>,
    cache: &CacheConfig,
) -> RecallServiceServer<ChannelService<Popular>> {
    tributary_recall::service("trending", channel, cache)
}
