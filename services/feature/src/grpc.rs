//! The gRPC face of the store: decodes and bounds requests, encodes answers.

mod decode;
mod watch;

use std::{pin::Pin, time::Duration};

use futures::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, metadata::MetadataMap};
use tributary_domain::{Item, ItemId, UserId};
use tributary_mesh::{Deadline, status};
use tributary_proto::{entity::v1 as entity, feature::v1 as wire};
use wire::feature_service_server::FeatureService;

use crate::{
    FeatureError, Store, metrics,
    store::{ChangesWritten, EventsWritten, ItemsWritten, StoredItem},
};

const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);
const LONGEST_DEADLINE: Duration = Duration::from_secs(10);

pub(crate) struct Service {
    store: Store,
    heartbeat: Duration,
    shutdown: CancellationToken,
}

impl Service {
    pub(crate) fn new(store: Store, heartbeat: Duration, shutdown: CancellationToken) -> Self {
        Self { store, heartbeat, shutdown }
    }
}

type Answer<T> = Result<Response<T>, Status>;
type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Answers with what the call gives within the request's deadline.
async fn answer<T>(
    metadata: &MetadataMap,
    call: impl Future<Output = Result<T, FeatureError>>,
) -> Answer<T> {
    let deadline = Deadline::of(metadata, DEFAULT_DEADLINE, LONGEST_DEADLINE);
    let outcome = tokio::time::timeout_at(deadline.instant(), call).await;
    let outcome = outcome.unwrap_or(Err(FeatureError::Deadline));
    outcome.map(Response::new).map_err(|error| status(&error))
}

#[tonic::async_trait]
impl FeatureService for Service {
    async fn get_user_context(
        &self,
        request: Request<wire::GetUserContextRequest>,
    ) -> Answer<wire::GetUserContextResponse> {
        let (metadata, _, message) = request.into_parts();
        answer(&metadata, async {
            let wire::GetUserContextRequest { user_id } = message;
            let context = self.store.context(UserId::from_wire(user_id, "user_id")?).await?;
            Ok(wire::GetUserContextResponse { context: Some(context.into()) })
        })
        .await
    }

    async fn get_items(
        &self,
        request: Request<wire::GetItemsRequest>,
    ) -> Answer<wire::GetItemsResponse> {
        let (metadata, _, message) = request.into_parts();
        answer(&metadata, async {
            let wire::GetItemsRequest { item_ids } = message;
            let ids = decode::item_ids(&item_ids)?;
            let stored = self.store.items(ids.clone()).await?;
            Ok(stored_items(ids, stored))
        })
        .await
    }

    async fn upsert_items(
        &self,
        request: Request<wire::UpsertItemsRequest>,
    ) -> Answer<wire::UpsertItemsResponse> {
        let (metadata, _, message) = request.into_parts();
        answer(&metadata, async {
            let wire::UpsertItemsRequest { items } = message;
            let items: Vec<Item> = decode::all("items", items)?;
            let ItemsWritten { changed, sequence } = self.store.upsert_items(items).await?;
            Ok(wire::UpsertItemsResponse { changed, sequence })
        })
        .await
    }

    async fn delete_items(
        &self,
        request: Request<wire::DeleteItemsRequest>,
    ) -> Answer<wire::DeleteItemsResponse> {
        let (metadata, _, message) = request.into_parts();
        answer(&metadata, async {
            let wire::DeleteItemsRequest { item_ids } = message;
            let written = self.store.delete_items(decode::item_ids(&item_ids)?).await?;
            let ItemsWritten { changed: deleted, sequence } = written;
            Ok(wire::DeleteItemsResponse { deleted, sequence })
        })
        .await
    }

    async fn upsert_users(
        &self,
        request: Request<wire::UpsertUsersRequest>,
    ) -> Answer<wire::UpsertUsersResponse> {
        let (metadata, _, message) = request.into_parts();
        answer(&metadata, async {
            let wire::UpsertUsersRequest { users } = message;
            let changed = self.store.upsert_users(decode::all("users", users)?).await?;
            Ok(wire::UpsertUsersResponse { changed })
        })
        .await
    }

    async fn delete_user(
        &self,
        request: Request<wire::DeleteUserRequest>,
    ) -> Answer<wire::DeleteUserResponse> {
        let (metadata, _, message) = request.into_parts();
        answer(&metadata, async {
            let wire::DeleteUserRequest { user_id } = message;
            let existed = self.store.delete_user(UserId::from_wire(user_id, "user_id")?).await?;
            Ok(wire::DeleteUserResponse { existed })
        })
        .await
    }

    async fn record_events(
        &self,
        request: Request<wire::RecordEventsRequest>,
    ) -> Answer<wire::RecordEventsResponse> {
        let (metadata, _, message) = request.into_parts();
        answer(&metadata, async {
            let wire::RecordEventsRequest { events, served } = message;
            let written = self.store.record(decode::events(events, served)?).await?;
            metrics::events(written);
            let EventsWritten { recorded, duplicates } = written;
            Ok(wire::RecordEventsResponse { recorded, duplicates })
        })
        .await
    }

    async fn apply_changes(
        &self,
        request: Request<wire::ApplyChangesRequest>,
    ) -> Answer<wire::ApplyChangesResponse> {
        let (metadata, _, message) = request.into_parts();
        answer(&metadata, async {
            let written = self.store.apply(decode::changes(message)?).await?;
            metrics::changes(written);
            let ChangesWritten { changed, duplicates, item_sequence } = written;
            Ok(wire::ApplyChangesResponse { changed, duplicates, item_sequence })
        })
        .await
    }

    async fn get_position(
        &self,
        request: Request<wire::GetPositionRequest>,
    ) -> Answer<wire::GetPositionResponse> {
        let (metadata, _, message) = request.into_parts();
        answer(&metadata, async {
            let wire::GetPositionRequest { source } = message;
            let position = self.store.position(decode::source(source)?).await?;
            Ok(wire::GetPositionResponse { position })
        })
        .await
    }

    type WatchItemsStream = Messages<wire::WatchItemsResponse>;

    async fn watch_items(
        &self,
        request: Request<wire::WatchItemsRequest>,
    ) -> Answer<Self::WatchItemsStream> {
        let wire::WatchItemsRequest { after } = request.into_inner();
        Ok(watch::stream::<watch::Items>(self, after))
    }

    type WatchEventsStream = Messages<wire::WatchEventsResponse>;

    async fn watch_events(
        &self,
        request: Request<wire::WatchEventsRequest>,
    ) -> Answer<Self::WatchEventsStream> {
        let wire::WatchEventsRequest { after } = request.into_inner();
        Ok(watch::stream::<watch::Events>(self, after))
    }
}

fn stored_items(ids: Vec<ItemId>, stored: Vec<Option<StoredItem>>) -> wire::GetItemsResponse {
    let mut answer = wire::GetItemsResponse::default();
    for (id, stored) in ids.into_iter().zip(stored) {
        match stored {
            Some(StoredItem { item, counters }) => answer.items.push(wire::StoredItem {
                item: Some(entity::Item::from(item)),
                counters: Some(entity::ItemCounters::from(counters)),
            }),
            None => answer.unknown_item_ids.push(id.0),
        }
    }
    answer
}
