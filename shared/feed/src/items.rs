use tokio_util::sync::CancellationToken;
use tonic::{Response, Status, Streaming};
use tributary_domain::ItemChange;
use tributary_mesh::Client;
use tributary_proto::feature::v1::{
    WatchItemsRequest, WatchItemsResponse, feature_service_client::FeatureServiceClient,
};

use crate::{
    FollowError, Follower,
    follow::{Batch, Log, follow},
};

/// Takes the changes of the catalogue.
pub trait ItemSink: Send + 'static {
    /// Applies changes in the order of the log. May block: it runs off the async workers.
    fn apply(&mut self, changes: &[ItemChange]);

    /// The store was replaced: the whole log comes again, so forget what was applied. A sink that
    /// keeps state must say how; the default is for those that keep none.
    fn restart(&mut self) {}

    /// Users were deleted from the store, or may have been: forget what is kept of any. Also called
    /// once at the beginning. The default is for sinks of processes that keep nothing of users.
    fn users_deleted(&mut self) {}
}

/// Follows the item change log from its beginning, and for as long as the follower lives.
pub fn follow_items(client: Client, sink: impl ItemSink, shutdown: CancellationToken) -> Follower {
    follow(client, ItemLog(sink), shutdown)
}

struct ItemLog<S>(S);

impl<S: ItemSink> Log for ItemLog<S> {
    const NAME: &'static str = "items";
    type Message = WatchItemsResponse;
    type Entry = ItemChange;

    async fn open(
        client: &mut FeatureServiceClient<Client>,
        after: u64,
    ) -> Result<Response<Streaming<WatchItemsResponse>>, Status> {
        client.watch_items(WatchItemsRequest { after }).await
    }

    fn decode(message: WatchItemsResponse) -> Result<Batch<ItemChange>, FollowError> {
        proto::batch(message)
    }

    fn restart(&mut self) {
        self.0.restart();
    }

    fn apply(&mut self, entries: &[ItemChange]) {
        self.0.apply(entries);
    }

    fn users_deleted(&mut self) {
        self.0.users_deleted();
    }
}

mod proto {
    use tributary_domain::{FieldError, ItemChange};
    use tributary_proto::feature::v1 as wire;

    use crate::{FollowError, follow::Batch};

    pub(super) fn batch(
        message: wire::WatchItemsResponse,
    ) -> Result<Batch<ItemChange>, FollowError> {
        let wire::WatchItemsResponse { changes, head, user_deletions } = message;
        let mut batch = Batch::new(head, false).with_user_deletions(user_deletions);
        for wire::ItemChange { sequence, change } in changes {
            let entry = change
                .ok_or_else(|| FieldError::new("change", "must be given"))
                .and_then(ItemChange::try_from)
                .map_err(|source| FollowError::Entry { sequence, source })?;
            batch.push(sequence, entry)?;
        }
        Ok(batch)
    }
}
