//! The store on Redis, for any number of replicas of `feature`.
//!
//! Users are spread over partitions, each in one slot of a Cluster. An event changes its user and
//! the partition's outbox in one script: from then on it is durable. Another script, in the one
//! slot of the catalogue and the logs, takes the outbox in, each entry once, and gives it its
//! number. Every call does that for what it wrote before it is answered; a sweeper in each replica
//! finishes what a dead one left. See `docs/redis.md` and ADR 0013.

mod held;
mod identity;
mod keys;
mod link;
mod log;
mod outbox;
mod script;
mod users;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use deadpool_redis::redis;
use futures::{StreamExt, stream};
use tokio::{
    sync::watch,
    time::{interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tributary_domain::{
    Item, ItemChange, ItemId, ServedEvent, SourceChange, UserContext, UserId, UserProfile,
};

use super::{
    Changes, ChangesWritten, EventsWritten, Heads, ItemsWritten, LoggedEvent, OpenError, Page,
    StoreError, StoredItem, corrupt, count, last_of_each, record,
};
use crate::{Retention, config::RedisConfig, metrics};
use held::UserChange;
use identity::Identity;
use keys::Partition;
use link::{Link, Request};
use log::{Operation, Progress};
use outbox::ENTRIES;
use users::{Committed, Step};

/// Partitions that one call, or the sweeper, works on at once.
const AT_ONCE: usize = 32;

/// The store on Redis. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
    _tasks: Arc<[AbortOnDropHandle<()>; 3]>,
}

#[derive(Debug)]
struct Shared {
    link: Link,
    retention: Retention,
    /// Recorded events that are kept of a user.
    recorded: usize,
    identity: watch::Sender<Identity>,
    heads: watch::Sender<Heads>,
    failed: CancellationToken,
}

/// The oldest entries of outboxes.
type Waiting = BTreeMap<Partition, Vec<u8>>;

/// What a call changes, each with its place in the call.
#[derive(Default)]
struct Work {
    steps: Vec<Step>,
    catalogue: Vec<(usize, Operation)>,
    progress: Option<Progress>,
}

/// What became of it.
struct Done {
    /// By place in the call.
    changed: Vec<bool>,
    heads: Heads,
}

impl Done {
    fn count(&self) -> u32 {
        count(self.changed.iter().filter(|changed| **changed).count())
    }
}

impl Store {
    /// Connects, and founds the store where there is none. Waits for Redis as long as is
    /// configured.
    pub async fn open(config: &RedisConfig, retention: Retention) -> Result<Self, OpenError> {
        let link = Link::new(config)?;
        let (identity, heads) = identity::open(&link, config).await?;
        if identity.partitions != config.partitions {
            let Identity { partitions, .. } = identity;
            tracing::warn!(partitions, "the store was founded with another redis.partitions");
        }
        tracing::info!(name = %identity.name, items = heads.items, events = heads.events, "opened the store in redis");
        metrics::heads(&heads);
        let shared = Arc::new(Shared {
            link,
            retention,
            recorded: config.recorded,
            identity: watch::Sender::new(identity),
            heads: watch::Sender::new(heads),
            failed: CancellationToken::new(),
        });
        let following = tokio::spawn(identity::follow(Arc::clone(&shared), config.poll));
        let sweeping = tokio::spawn(sweep(Arc::clone(&shared), config.sweep));
        let renewing = tokio::spawn(link::renew(Arc::clone(&shared)));
        let tasks = [following, sweeping, renewing].map(AbortOnDropHandle::new);
        Ok(Self { shared, _tasks: Arc::new(tasks) })
    }

    pub fn name(&self) -> Arc<str> {
        Arc::clone(&self.shared.identity.borrow().name)
    }

    pub fn heads(&self) -> watch::Receiver<Heads> {
        self.shared.heads.subscribe()
    }

    /// Resolves where Redis holds what this version cannot use.
    pub async fn failed(&self) {
        self.shared.failed.cancelled().await;
    }

    pub async fn context(&self, user: UserId) -> Result<UserContext, StoreError> {
        let mut get = redis::cmd("GET");
        get.arg(self.shared.partition(user).state(user));
        let state: Option<Vec<u8>> = self.shared.link.ask(Request::Command(get)).await?;
        let known = held::user_of(user, state.as_deref()).map_err(corrupt("users", user.0))?;
        Ok(known.into_context(user, &self.shared.retention))
    }

    pub async fn items(&self, ids: Vec<ItemId>) -> Result<Vec<Option<StoredItem>>, StoreError> {
        log::items(&self.shared.link, &ids).await
    }

    pub async fn item_changes(&self, after: u64) -> Result<Page<ItemChange>, StoreError> {
        log::item_changes(&self.shared.link, after).await
    }

    pub async fn events(&self, after: u64) -> Result<Page<LoggedEvent>, StoreError> {
        log::events(&self.shared.link, after).await
    }

    pub async fn position(&self, source: String) -> Result<Vec<u8>, StoreError> {
        log::position(&self.shared.link, &source).await
    }

    pub async fn upsert_items(&self, items: Vec<Item>) -> Result<ItemsWritten, StoreError> {
        let items = last_of_each(items, |item| item.id);
        let catalogue = items.into_iter().enumerate();
        let catalogue = catalogue.map(|(index, item)| (index, put(&item))).collect();
        self.change_items(catalogue).await
    }

    pub async fn delete_items(&self, ids: Vec<ItemId>) -> Result<ItemsWritten, StoreError> {
        let catalogue = ids.into_iter().enumerate();
        let catalogue = catalogue.map(|(index, item)| (index, Operation::Delete { item }));
        self.change_items(catalogue.collect()).await
    }

    async fn change_items(
        &self,
        catalogue: Vec<(usize, Operation)>,
    ) -> Result<ItemsWritten, StoreError> {
        let done = self.shared.work(Work { catalogue, ..Work::default() }).await?;
        Ok(ItemsWritten { changed: done.count(), sequence: done.heads.items })
    }

    pub async fn upsert_users(&self, users: Vec<UserProfile>) -> Result<u32, StoreError> {
        let users = last_of_each(users, |user| user.id);
        let steps = users.into_iter().map(|user| (user.id, UserChange::Profile(user)));
        Ok(self.change_users(steps).await?.count())
    }

    pub async fn delete_user(&self, user: UserId) -> Result<bool, StoreError> {
        Ok(self.change_users([(user, UserChange::Forget)].into_iter()).await?.count() == 1)
    }

    pub async fn record(&self, events: Vec<ServedEvent>) -> Result<EventsWritten, StoreError> {
        let all = events.len();
        let steps = events.into_iter().map(|event| (event.event.user, UserChange::Record(event)));
        let recorded = self.change_users(steps).await?.count();
        Ok(EventsWritten { recorded, duplicates: count(all) - recorded })
    }

    async fn change_users(
        &self,
        changes: impl Iterator<Item = (UserId, UserChange)>,
    ) -> Result<Done, StoreError> {
        let steps = changes.enumerate();
        let steps = steps.map(|(index, (user, change))| Step { index, user, change }).collect();
        self.shared.work(Work { steps, ..Work::default() }).await
    }

    /// An interrupted call is finished by its repetition: the position is written last.
    pub async fn apply(&self, changes: Changes) -> Result<ChangesWritten, StoreError> {
        let Changes { source, position, expected, changes } = changes;
        if log::position(&self.shared.link, &source).await? != expected {
            return Err(StoreError::Position { source_name: source });
        }
        let all = changes.len();
        let mut work = Work::default();
        for (index, change) in changes.into_iter().enumerate() {
            work.add(index, change);
        }
        work.progress = Some(Progress { source, expected, position });
        let done = self.shared.work(work).await?;
        let changed = done.count();
        Ok(ChangesWritten {
            changed,
            duplicates: count(all) - changed,
            item_sequence: done.heads.items,
        })
    }
}

fn put(item: &Item) -> Operation {
    Operation::Put { item: item.id, record: record::encode_item(item) }
}

impl Work {
    fn add(&mut self, index: usize, change: SourceChange) {
        let (user, change) = match change {
            SourceChange::UpsertedItem(item) => {
                return self.catalogue.push((index, put(&item)));
            }
            SourceChange::DeletedItem(item) => {
                return self.catalogue.push((index, Operation::Delete { item }));
            }
            SourceChange::UpsertedUser(user) => (user.id, UserChange::Profile(user)),
            SourceChange::DeletedUser(user) => (user, UserChange::Forget),
            SourceChange::RecordedEvent(event) => (event.user, UserChange::Record(event.into())),
            SourceChange::RetractedEvent(event) => (event.user, UserChange::Retract(event)),
        };
        self.steps.push(Step { index, user, change });
    }

    fn length(&self) -> usize {
        self.steps.len() + self.catalogue.len()
    }
}

impl Shared {
    fn partition(&self, user: UserId) -> Partition {
        Partition::of(user, self.identity.borrow().partitions)
    }

    /// Heads only grow, whoever hears of them first.
    fn publish(&self, heads: Heads) {
        metrics::heads(&heads);
        self.heads.send_if_modified(|current| {
            let grown = Heads {
                items: current.items.max(heads.items),
                events: current.events.max(heads.events),
                user_deletions: current.user_deletions.max(heads.user_deletions),
            };
            std::mem::replace(current, grown) != grown
        });
    }

    /// Writes the users, then catalogue, logs and position in one script, in the call's order.
    async fn work(&self, work: Work) -> Result<Done, StoreError> {
        let mut changed = vec![false; work.length()];
        let (committed, failure) = self.commit(work.steps).await;
        for index in committed.iter().flat_map(|committed| &committed.changed) {
            changed[*index] = true;
        }
        let long: Vec<Partition> =
            committed.iter().filter(|part| part.more).map(|part| part.partition).collect();
        let mut operations: Vec<(usize, Operation)> =
            committed.into_iter().flat_map(|part| part.entries).collect();
        if let Some(failure) = failure {
            // What other partitions have written is not held back by the one that failed.
            self.take_in(operations.into_iter().map(|(_, operation)| operation).collect()).await?;
            return Err(failure);
        }
        let places: Vec<usize> = work.catalogue.iter().map(|(index, _)| *index).collect();
        operations.extend(work.catalogue);
        operations.sort_by_key(|(index, _)| *index);
        let operations: Vec<Operation> =
            operations.into_iter().map(|(_, operation)| operation).collect();
        let written = self.write_log(work.progress.as_ref(), operations).await?;
        for partition in long {
            self.drain(partition).await?;
        }
        if !written.agreed {
            let source_name = work.progress.map_or_else(String::new, |progress| progress.source);
            return Err(StoreError::Position { source_name });
        }
        for (place, differs) in places.into_iter().zip(written.changed) {
            changed[place] = differs;
        }
        Ok(Done { changed, heads: written.heads })
    }

    /// What could be written, and the first failure.
    async fn commit(&self, steps: Vec<Step>) -> (Vec<Committed>, Option<StoreError>) {
        let mut partitions: BTreeMap<Partition, Vec<Step>> = BTreeMap::new();
        for step in steps {
            partitions.entry(self.partition(step.user)).or_default().push(step);
        }
        let commits = partitions
            .into_iter()
            .map(|(partition, steps)| async move { users::commit(self, partition, &steps).await });
        let outcomes: Vec<_> = stream::iter(commits).buffer_unordered(AT_ONCE).collect().await;
        let mut failure = None;
        let mut committed = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            match outcome {
                Ok(part) => committed.push(part),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        (committed, failure)
    }

    async fn take_in(&self, operations: Vec<Operation>) -> Result<(), StoreError> {
        if !operations.is_empty() {
            self.write_log(None, operations).await?;
        }
        Ok(())
    }

    /// Runs the script of the logs, and drops from the outboxes what it has taken in.
    async fn write_log(
        &self,
        progress: Option<&Progress>,
        operations: Vec<Operation>,
    ) -> Result<log::Written, StoreError> {
        if operations.is_empty() && progress.is_none() {
            let heads = *self.heads.borrow();
            return Ok(log::Written { agreed: true, heads, changed: Vec::new() });
        }
        let (limit, known) = (self.retention.events, *self.heads.borrow());
        let written = log::write(&self.link, limit, known, progress, &operations).await?;
        self.publish(written.heads);
        let mut taken: BTreeMap<Partition, u64> = BTreeMap::new();
        for operation in operations {
            if let Operation::Entry { partition, number, .. } = operation {
                let last = taken.entry(partition).or_default();
                *last = number.max(*last);
            }
        }
        let trims = taken.into_iter().map(|(part, last)| outbox::trim(&self.link, part, last));
        let trims: Vec<_> = stream::iter(trims).buffer_unordered(AT_ONCE).collect().await;
        trims.into_iter().collect::<Result<(), _>>()?;
        Ok(written)
    }

    /// Takes in all that a partition's outbox holds.
    async fn drain(&self, partition: Partition) -> Result<(), StoreError> {
        loop {
            let entries = outbox::oldest(&self.link, partition).await?;
            let more = entries.len() >= ENTRIES;
            self.take_in(entries).await?;
            if !more {
                return Ok(());
            }
        }
    }

    /// The oldest entry of each outbox that is not empty.
    async fn waiting(&self) -> Result<Waiting, StoreError> {
        let partitions = (0..self.identity.borrow().partitions).map(Partition);
        let oldest = partitions.map(|partition| async move {
            let mut first = redis::cmd("LINDEX");
            first.arg(partition.outbox()).arg(0);
            let first: Option<Vec<u8>> = self.link.ask(Request::Command(first)).await?;
            Ok::<_, StoreError>(first.map(|first| (partition, first)))
        });
        let oldest: Vec<_> = stream::iter(oldest).buffer_unordered(AT_ONCE).collect().await;
        oldest.into_iter().filter_map(Result::transpose).collect()
    }

    /// Takes in what has been left in the outboxes since the round before, and gives how many of
    /// them held something: what came later belongs to calls that are under way.
    async fn sweep(&self, before: &mut Waiting) -> Result<usize, StoreError> {
        let waiting = self.waiting().await?;
        let left = waiting.iter().filter(|(partition, oldest)| {
            before.get(partition).is_some_and(|earlier| earlier == *oldest)
        });
        let (mut swept, mut failure) = (0, None);
        for (partition, _) in left {
            match self.drain(*partition).await {
                Ok(()) => swept += 1,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        *before = waiting;
        failure.map_or(Ok(swept), Err)
    }
}

/// Finishes what dead replicas of `feature` have left, for as long as the store is open.
async fn sweep(shared: Arc<Shared>, every: Duration) {
    // Replicas that were started together do not sweep together.
    sleep(every.mul_f64(rand::random())).await;
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut before, mut failing) = (Waiting::new(), false);
    loop {
        ticks.tick().await;
        match shared.sweep(&mut before).await {
            Ok(swept) => {
                failing = false;
                metrics::swept(swept);
            }
            Err(error) => {
                metrics::redis_error();
                let error: &dyn std::error::Error = &error;
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(error, "outboxes cannot be swept");
                }
            }
        }
    }
}
