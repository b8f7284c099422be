//! One embedded database, one writer thread. Calls that write wait in a bounded queue; the writer
//! takes all that wait into one transaction, so that many calls share one flush to disk, and
//! answers them once it is durable. Readers see the last durable state and never wait for writers.

mod batch;
mod database;
mod read;
mod tables;
mod write;
mod writer;

use std::sync::Arc;

use tokio::{
    sync::{mpsc, oneshot, watch},
    task,
};
use tokio_util::sync::CancellationToken;
use tributary_domain::{Item, ItemChange, ItemId, ServedEvent, UserContext, UserId, UserProfile};

use super::{
    Changes, ChangesWritten, EventsWritten, Heads, ItemsWritten, LoggedEvent, OpenError, Page,
    StoreError, StoredItem,
};
use crate::{Retention, StoreConfig, metrics};
use batch::Batch;
use database::Opened;
use writer::{Job, Writer};

/// The store. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    opened: Opened,
    retention: Retention,
    queue: mpsc::Sender<Job>,
    heads: watch::Receiver<Heads>,
    ended: CancellationToken,
}

impl Store {
    /// Opens the database in the configured folder, or makes it. Blocks.
    pub fn open(config: &StoreConfig, retention: Retention) -> Result<Self, OpenError> {
        let (opened, heads) = Opened::open(config)?;
        let (queue, jobs) = mpsc::channel(config.write_queue);
        let ended = CancellationToken::new();
        let database = Arc::clone(&opened.database);
        let writer = Writer::new(database, retention, heads, ended.clone());
        let heads = writer.heads();
        writer.spawn(jobs)?;
        Ok(Self { shared: Arc::new(Shared { opened, retention, queue, heads, ended }) })
    }

    /// Names this store: another store never has the same name.
    pub fn name(&self) -> Arc<str> {
        Arc::clone(&self.shared.opened.name)
    }

    /// The heads of the logs, as they move.
    pub fn heads(&self) -> watch::Receiver<Heads> {
        self.shared.heads.clone()
    }

    /// Resolves when the writer has ended though nobody closed the store: after a failed commit the
    /// state on disk is known only when it is opened again.
    pub async fn failed(&self) {
        self.shared.ended.cancelled().await;
    }

    /// Ends the writer once it has written what waits, whatever clones are left: they can read, and
    /// their writes fail. The file is free when the last clone is gone.
    pub async fn close(self) {
        // Where the writer has ended before, there is nobody to tell.
        if self.shared.queue.send(Job::Stop).await.is_ok() {
            self.shared.ended.cancelled().await;
        }
    }

    /// The user's context, the cold one where nothing is known.
    pub async fn context(&self, user: UserId) -> Result<UserContext, StoreError> {
        let retention = self.shared.retention;
        let user_state = self.read(move |snapshot| snapshot.user(user)).await?;
        Ok(user_state.into_context(user, &retention))
    }

    /// The items in the order of the ids, `None` where one is unknown or deleted.
    pub async fn items(&self, ids: Vec<ItemId>) -> Result<Vec<Option<StoredItem>>, StoreError> {
        self.read(move |snapshot| ids.iter().map(|id| snapshot.stored_item(*id)).collect()).await
    }

    /// Changes of the item log after a sequence number, the last change of each item only.
    pub async fn item_changes(&self, after: u64) -> Result<Page<ItemChange>, StoreError> {
        self.read(move |snapshot| snapshot.item_changes(after)).await
    }

    /// Events of the log after a sequence number.
    pub async fn events(&self, after: u64) -> Result<Page<LoggedEvent>, StoreError> {
        self.read(move |snapshot| snapshot.events(after)).await
    }

    /// Creates or replaces items; of two with one id the later counts.
    pub async fn upsert_items(&self, items: Vec<Item>) -> Result<ItemsWritten, StoreError> {
        self.write(items.len(), move |batch| batch.upsert_items(items)).await
    }

    pub async fn delete_items(&self, ids: Vec<ItemId>) -> Result<ItemsWritten, StoreError> {
        self.write(ids.len(), move |batch| batch.delete_items(&ids)).await
    }

    /// Creates or replaces profiles; of two with one id the later counts. Gives how many differ
    /// from what was stored.
    pub async fn upsert_users(&self, users: Vec<UserProfile>) -> Result<u32, StoreError> {
        self.write(users.len(), move |batch| batch.upsert_users(users)).await
    }

    /// Removes profile, behaviour, seen items and recorded events of the user, and gives whether
    /// there were any. The counters of items stay: they name nobody.
    pub async fn delete_user(&self, user: UserId) -> Result<bool, StoreError> {
        self.write(1, move |batch| batch.delete_user(user)).await
    }

    /// Records the events that were not recorded before.
    pub async fn record(&self, events: Vec<ServedEvent>) -> Result<EventsWritten, StoreError> {
        self.write(events.len(), move |batch| batch.record(events)).await
    }

    /// Writes changes of another database, and the position up to which it was read, whole or not
    /// at all.
    pub async fn apply(&self, changes: Changes) -> Result<ChangesWritten, StoreError> {
        self.write(1 + changes.changes.len(), move |batch| batch.apply(changes)).await
    }

    /// Up to where that database was read; empty where no position was stored.
    pub async fn position(&self, source: String) -> Result<Vec<u8>, StoreError> {
        self.read(move |snapshot| snapshot.position(&source)).await
    }

    /// Reads from one state of the store, off the async workers because a page may be on disk.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(read::Snapshot) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.shared.opened.database);
        let reading = task::spawn_blocking(move || read(read::Snapshot::of(&database)?));
        reading.await?
    }

    /// Queues a call of `weight` rows for the writer and waits until it is durable. A caller that
    /// stops waiting does not take the write back.
    async fn write<T: Send + 'static>(
        &self,
        weight: usize,
        apply: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::call(weight, apply, reply);
        self.shared.queue.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                metrics::write_refused();
                StoreError::QueueFull
            }
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        answer.await.map_err(|_gone| StoreError::Closed)?
    }
}
