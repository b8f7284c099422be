use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use tokio::{sync::watch, time};
use tonic::{Response, metadata::MetadataValue};
use tributary_domain::{ItemChange, gender_to_wire};
use tributary_mesh::status;
use tributary_proto::{STORE_METADATA, entity::v1 as entity, feature::v1 as wire};

use super::{Messages, Service};
use crate::{
    FeatureError, Store, StoreError, metrics,
    store::{Heads, LoggedEvent, Page},
};

/// One of the two logs.
pub(super) trait Log: Send + 'static {
    const NAME: &'static str;
    type Entry: Send;
    type Message: Send;

    fn page(
        store: &Store,
        after: u64,
    ) -> impl Future<Output = Result<Page<Self::Entry>, StoreError>> + Send;
    fn head(heads: &Heads) -> u64;
    /// What is told of deleted users, beside the entries.
    fn user_deletions(heads: &Heads) -> u64;
    fn message(page: Page<Self::Entry>, user_deletions: u64) -> Self::Message;
}

pub(super) struct Items;

impl Log for Items {
    const NAME: &'static str = "items";
    type Entry = ItemChange;
    type Message = wire::WatchItemsResponse;

    async fn page(store: &Store, after: u64) -> Result<Page<ItemChange>, StoreError> {
        store.item_changes(after).await
    }

    fn head(heads: &Heads) -> u64 {
        heads.items
    }

    fn user_deletions(heads: &Heads) -> u64 {
        heads.user_deletions
    }

    fn message(page: Page<ItemChange>, user_deletions: u64) -> wire::WatchItemsResponse {
        let changes = page
            .entries
            .into_iter()
            .map(|(sequence, change)| wire::ItemChange { sequence, change: Some(change.into()) });
        wire::WatchItemsResponse { changes: changes.collect(), head: page.head, user_deletions }
    }
}

pub(super) struct Events;

impl Log for Events {
    const NAME: &'static str = "events";
    type Entry = LoggedEvent;
    type Message = wire::WatchEventsResponse;

    async fn page(store: &Store, after: u64) -> Result<Page<LoggedEvent>, StoreError> {
        store.events(after).await
    }

    fn head(heads: &Heads) -> u64 {
        heads.events
    }

    /// The log of items tells; here the entries of the user are gone, which is all there is to it.
    fn user_deletions(_: &Heads) -> u64 {
        0
    }

    fn message(page: Page<LoggedEvent>, _: u64) -> wire::WatchEventsResponse {
        let events = page.entries.into_iter().map(|(sequence, logged)| wire::LoggedEvent {
            sequence,
            event: Some(entity::Event::from(logged.event)),
            user_age: logged.age.map_or(0, u32::from),
            user_gender: gender_to_wire(logged.gender).into(),
            served: logged.served.map(entity::Served::from),
            user_version: logged.user_version,
        });
        wire::WatchEventsResponse {
            events: events.collect(),
            head: page.head,
            truncated: page.truncated,
        }
    }
}

/// The log after a sequence number, then what is new as it comes, until the service drains. The
/// next page is read when the last one was taken, so a slow follower holds one page and no more.
pub(super) fn stream<L: Log>(service: &Service, after: u64) -> Response<Messages<L::Message>> {
    let follower = Follower {
        heads: service.store.heads(),
        name: service.store.name(),
        store: service.store.clone(),
        cursor: after,
        first: true,
        due: true,
        user_deletions: 0,
        heartbeat: service.heartbeat,
        _counted: metrics::Watcher::of(L::NAME),
    };
    let name = Arc::clone(&follower.name);
    let pages = stream::try_unfold(follower, Follower::next::<L>);
    let message = |(page, user_deletions)| L::message(page, user_deletions);
    let messages = pages.map(move |page| page.map(message).map_err(|error| status(&error)));
    let messages = messages.take_until(service.shutdown.clone().cancelled_owned());
    let mut response: Response<Messages<L::Message>> = Response::new(Box::pin(messages));
    let name = MetadataValue::try_from(&*name).expect("the name is a number in hex");
    response.metadata_mut().insert(STORE_METADATA, name);
    response
}

/// A page, and the number of deleted users.
type Message<L> = (Page<<L as Log>::Entry>, u64);

struct Follower {
    store: Store,
    /// The store's name at the start: the numbers are of this one.
    name: Arc<str>,
    heads: watch::Receiver<Heads>,
    /// The last entry sent.
    cursor: u64,
    /// Nothing was sent yet.
    first: bool,
    /// The next page is sent even if it is empty.
    due: bool,
    /// The number of deleted users last sent.
    user_deletions: u64,
    heartbeat: Duration,
    _counted: metrics::Watcher,
}

impl Follower {
    async fn next<L: Log>(mut self) -> Result<Option<(Message<L>, Self)>, FeatureError> {
        loop {
            let deletions = L::user_deletions(&self.heads.borrow());
            self.due |= deletions != self.user_deletions;
            let page = L::page(&self.store, self.cursor).await?;
            if self.store.name() != self.name {
                return Err(FeatureError::Replaced);
            }
            if page.truncated && !self.first {
                return Err(FeatureError::Overtaken { log: L::NAME, after: self.cursor });
            }
            self.first = false;
            self.user_deletions = deletions;
            if let Some((last, _)) = page.entries.last() {
                self.cursor = *last;
                // The log's last numbers may be gone with a deleted user. An empty page then tells
                // the follower at once that there is no more.
                self.due = page.complete && *last < page.head;
                return Ok(Some(((page, deletions), self)));
            }
            if std::mem::take(&mut self.due) {
                return Ok(Some(((page, deletions), self)));
            }
            let moved = self.heads.wait_for(|heads| {
                L::head(heads) > page.head
                    || L::user_deletions(heads) != deletions
                    || self.store.name() != self.name
            });
            match time::timeout(self.heartbeat, moved).await {
                Ok(Ok(_heads)) => {}
                Ok(Err(_closed)) => return Ok(None),
                Err(_elapsed) => self.due = true,
            }
        }
    }
}
