use std::time::Duration;

use tokio::{sync::watch, task, time};
use tokio_util::sync::CancellationToken;
use tonic::{Response, Status, Streaming, metadata::MetadataMap};
use tributary_mesh::Client;
use tributary_proto::{STORE_METADATA, feature::v1::feature_service_client::FeatureServiceClient};

use crate::{FollowError, FollowState, Follower, backoff::Backoff, metrics::FollowMetrics};

/// Three missed heartbeats: the contract promises one every ten seconds.
const SILENCE: Duration = Duration::from_secs(30);
const OPENING: Duration = Duration::from_secs(10);
/// One message holds up to 1,000 items of at most 64 kB.
const MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// One of the two logs, together with the sink that takes it.
pub(crate) trait Log: Send + 'static {
    const NAME: &'static str;
    type Message: Send + 'static;
    type Entry: Send + Sync + 'static;

    fn open(
        client: &mut FeatureServiceClient<Client>,
        after: u64,
    ) -> impl Future<Output = Result<Response<Streaming<Self::Message>>, Status>> + Send;
    fn decode(message: Self::Message) -> Result<Batch<Self::Entry>, FollowError>;
    /// What comes next does not join what was applied.
    fn restart(&mut self);
    /// Entries in their order, at least one.
    fn apply(&mut self, entries: &[Self::Entry]);
    /// What is kept of users is to be forgotten.
    fn users_deleted(&mut self) {}
}

/// Whether entries join what was applied before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Continued,
    Restarted,
}

/// The entries of one message.
pub(crate) struct Batch<E> {
    entries: Vec<E>,
    first: u64,
    last: u64,
    head: u64,
    truncated: bool,
    /// Users deleted so far, where the log tells.
    user_deletions: Option<u64>,
}

impl<E> Batch<E> {
    pub(crate) fn new(head: u64, truncated: bool) -> Self {
        Self { entries: Vec::new(), first: 0, last: 0, head, truncated, user_deletions: None }
    }

    pub(crate) fn with_user_deletions(self, count: u64) -> Self {
        Self { user_deletions: Some(count), ..self }
    }

    pub(crate) fn push(&mut self, sequence: u64, entry: E) -> Result<(), FollowError> {
        if sequence <= self.last {
            return Err(FollowError::Order { after: self.last, sequence });
        }
        if self.entries.is_empty() {
            self.first = sequence;
        }
        self.last = sequence;
        self.entries.push(entry);
        Ok(())
    }
}

pub(crate) fn follow<L: Log>(client: Client, log: L, shutdown: CancellationToken) -> Follower {
    let (state, watched) = watch::channel(FollowState::default());
    let client = FeatureServiceClient::new(client).max_decoding_message_size(MESSAGE_BYTES);
    let metrics = FollowMetrics::new(L::NAME);
    let follow = Follow {
        client,
        log: Some(log),
        resume: 0,
        store: None,
        user_deletions: None,
        state,
        metrics,
    };
    let ended = CancellationToken::new();
    let told = ended.clone();
    let task = tokio::spawn(async move {
        if shutdown.run_until_cancelled(follow.run()).await.is_some() {
            told.cancel();
        }
    });
    Follower::new(watched, ended, task)
}

struct Follow<L> {
    client: FeatureServiceClient<Client>,
    /// Away while a batch is being applied, and for ever once that panicked.
    log: Option<L>,
    /// The last entry applied: where the next stream begins.
    resume: u64,
    /// The store's name, where it tells one.
    store: Option<String>,
    /// Deletions of users that the sink was told of; `None` before the first message of a store.
    user_deletions: Option<u64>,
    state: watch::Sender<FollowState>,
    metrics: FollowMetrics,
}

impl<L: Log> Follow<L> {
    /// Ends where the sink panics.
    async fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            let Err(error) = self.stream(&mut backoff).await;
            let lost = self.state.borrow().connected;
            self.show(|state| state.connected = false);
            self.metrics.failures.increment(1);
            if let FollowError::Sink(panic) = &error {
                // Entries after the one the sink broke at must not be applied to it.
                tracing::error!(log = L::NAME, %panic, "follower ended: its sink panicked");
                return;
            }
            let pause = backoff.pause();
            report::<L>(&error, lost, pause);
            time::sleep(pause).await;
        }
    }

    /// Follows one stream until it fails.
    async fn stream(&mut self, backoff: &mut Backoff) -> Result<Never, FollowError> {
        let opening = time::timeout(OPENING, L::open(&mut self.client, self.resume));
        let response = opening.await.map_err(|_| FollowError::Silent(OPENING))??;
        self.recognise(response.metadata()).await?;
        let mut stream = response.into_inner();
        let mut cut = true;
        loop {
            let next = time::timeout(SILENCE, stream.message());
            let message = next.await.map_err(|_| FollowError::Silent(SILENCE))??;
            let mut batch = L::decode(message.ok_or(FollowError::Ended)?)?;
            // What was cut lies between the place asked for and the first message, never later.
            batch.truncated &= std::mem::take(&mut cut);
            self.take(batch).await?;
            backoff.reset();
        }
    }

    /// Begins again where the stream comes from another store than before.
    async fn recognise(&mut self, metadata: &MetadataMap) -> Result<(), FollowError> {
        let Some(name) = metadata.get(STORE_METADATA).and_then(|name| name.to_str().ok()) else {
            return Ok(());
        };
        let known = self.store.replace(name.to_owned());
        match known.is_some_and(|known| known != name) && self.resume > 0 {
            true => Err(self.restart(0).await),
            false => Ok(()),
        }
    }

    async fn take(&mut self, batch: Batch<L::Entry>) -> Result<(), FollowError> {
        let Batch { entries, first, last, head, truncated, user_deletions } = batch;
        if head < self.resume {
            return Err(self.restart(head).await);
        }
        self.heed(user_deletions).await?;
        if entries.is_empty() && !truncated {
            self.up_to(head, head);
            return Ok(());
        }
        if !entries.is_empty() && first <= self.resume {
            return Err(FollowError::Order { after: self.resume, sequence: first });
        }
        self.apply(entries, if truncated { Place::Restarted } else { Place::Continued }).await?;
        self.resume = self.resume.max(last);
        self.up_to(self.resume, head);
        Ok(())
    }

    /// Has the sink forget users where some were deleted since it last did, or may have been: what
    /// happened while there was no stream is in the number, too.
    async fn heed(&mut self, deletions: Option<u64>) -> Result<(), FollowError> {
        if deletions.is_none() || deletions == self.user_deletions {
            return Ok(());
        }
        self.with_log(L::users_deleted).await?;
        self.user_deletions = deletions;
        Ok(())
    }

    /// Forgets everything; the next stream begins at the log's start.
    async fn restart(&mut self, head: u64) -> FollowError {
        let applied = std::mem::take(&mut self.resume);
        self.user_deletions = None;
        if let Err(error) = self.apply(Vec::new(), Place::Restarted).await {
            return error;
        }
        self.show(|state| {
            state.applied = 0;
            state.head = head;
        });
        FollowError::Replaced { head, applied }
    }

    async fn apply(&mut self, entries: Vec<L::Entry>, place: Place) -> Result<(), FollowError> {
        if place == Place::Restarted {
            self.metrics.restarts.increment(1);
        }
        self.with_log(move |log| {
            if place == Place::Restarted {
                log.restart();
            }
            if !entries.is_empty() {
                log.apply(&entries);
            }
        })
        .await
    }

    /// Does something with the sink, off the async workers.
    async fn with_log(
        &mut self,
        work: impl FnOnce(&mut L) + Send + 'static,
    ) -> Result<(), FollowError> {
        let mut log = self.log.take().expect("the sink is put back after every piece of work");
        let worked = task::spawn_blocking(move || {
            work(&mut log);
            log
        });
        match worked.await {
            Ok(log) => {
                self.log = Some(log);
                Ok(())
            }
            Err(failed) if failed.is_panic() => Err(FollowError::Sink(failed)),
            // The runtime is going down, and this task with it.
            Err(_cancelled) => std::future::pending().await,
        }
    }

    fn up_to(&self, applied: u64, head: u64) {
        self.show(|state| {
            *state = FollowState {
                applied,
                head,
                connected: true,
                caught_up: state.caught_up || applied >= head,
            };
        });
    }

    fn show(&self, change: impl FnOnce(&mut FollowState)) {
        self.state.send_modify(change);
        self.metrics.show(&self.state.borrow());
    }
}

enum Never {}

/// Warns once for a stream that was open; that a dead service stays dead is for those who debug.
fn report<L: Log>(error: &FollowError, lost: bool, pause: Duration) {
    let error: &dyn std::error::Error = error;
    match lost {
        true => tracing::warn!(log = L::NAME, error, ?pause, "follower lost its stream"),
        false => tracing::debug!(log = L::NAME, error, ?pause, "follower cannot connect"),
    }
}
