//! Records what was shown: for the seen filter, for training, for experiments.
//!
//! The queue is bounded. Where it is full the newest answer is dropped and counted: a request never
//! waits for the store. While the store is away the recorder holds on to what it has and tries
//! again; events are idempotent, so that trying twice records once.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tributary_domain::{Action, Behaviour, Event, ItemId, Served, ServedEvent, Timestamp, UserId};
use tributary_mesh::{CallError, Classify, Deadline, Kind};

use crate::{config::ImpressionsConfig, metrics, upstreams::Upstreams};

/// Most events that the contract lets a call have.
const MAXIMUM_EVENTS: usize = 1_000;
/// Answers taken off the queue at once.
const TAKEN: usize = 64;
const CALL: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What one answer showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    pub user: UserId,
    /// In the order of the answer, each with how it came there.
    pub items: Vec<(ItemId, Served)>,
    pub time: Timestamp,
}

impl Shown {
    fn events(self) -> impl Iterator<Item = ServedEvent> {
        let Self { user, items, time } = self;
        items.into_iter().map(move |(item, served)| {
            let behaviour = Behaviour { item, action: Action::Impression, time, dwell_ms: 0 };
            ServedEvent { event: Event { user, behaviour }, served: Some(served) }
        })
    }
}

/// The end of the queue that requests write to.
#[derive(Clone)]
pub struct Impressions {
    queue: mpsc::Sender<Shown>,
}

impl Impressions {
    /// Queues what was shown; never waits.
    pub fn offer(&self, shown: Shown) {
        match self.queue.try_send(shown) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(shown)) => {
                metrics::impressions_dropped(shown.items.len(), "queue_full");
            }
            Err(mpsc::error::TrySendError::Closed(shown)) => {
                metrics::impressions_dropped(shown.items.len(), "shutdown");
            }
        }
    }
}

/// Starts the recorder. It ends after `shutdown`, when the queue is flushed or the time for that is
/// over; await the handle.
pub fn start(
    upstreams: Arc<impl Upstreams>,
    config: &ImpressionsConfig,
    shutdown: CancellationToken,
) -> (Impressions, JoinHandle<()>) {
    let (queue, waiting) = mpsc::channel(config.queue);
    let recorder = Recorder { upstreams, waiting, flush: config.flush, shutdown };
    (Impressions { queue }, tokio::spawn(recorder.run()))
}

struct Recorder<U> {
    upstreams: Arc<U>,
    waiting: mpsc::Receiver<Shown>,
    flush: Duration,
    shutdown: CancellationToken,
}

impl<U: Upstreams> Recorder<U> {
    async fn run(mut self) {
        let shutdown = self.shutdown.clone();
        let mut taken = Vec::with_capacity(TAKEN);
        let mut events = Vec::new();
        while let Some(count) =
            shutdown.run_until_cancelled(self.waiting.recv_many(&mut taken, TAKEN)).await
        {
            if count == 0 {
                return;
            }
            events.extend(taken.drain(..).flat_map(Shown::events));
            shutdown.run_until_cancelled(self.record_all(&mut events)).await;
        }
        self.flush(events).await;
    }

    /// Tries until every event is recorded or refused. Those done with are taken off `events`, so
    /// that a caller that gives up has what is left.
    async fn record_all(&self, events: &mut Vec<ServedEvent>) {
        let mut pause = FIRST_PAUSE;
        while !events.is_empty() {
            let chunk = events.len().min(MAXIMUM_EVENTS);
            match self.record(&events[..chunk]).await {
                Ok(()) => metrics::impressions_recorded(chunk),
                Err(error) if is_refusal(&error) => {
                    tracing::warn!(events = chunk, %error, "impressions were refused");
                    metrics::impressions_dropped(chunk, "refused");
                }
                Err(error) => {
                    tracing::debug!(events = chunk, %error, "impressions wait for the store");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
            }
            events.drain(..chunk);
            pause = FIRST_PAUSE;
        }
    }

    async fn record(&self, events: &[ServedEvent]) -> Result<(), CallError> {
        let deadline = Deadline::after(CALL);
        let call = self.upstreams.record(events.to_vec(), deadline);
        tokio::time::timeout_at(deadline.instant(), call)
            .await
            .unwrap_or_else(|_| Err(CallError::timeout("feature")))?;
        Ok(())
    }

    /// Records what is left of `events` and of the queue, as far as the time for that goes.
    async fn flush(mut self, mut events: Vec<ServedEvent>) {
        self.waiting.close();
        while let Some(shown) = self.waiting.recv().await {
            events.extend(shown.events());
        }
        let recorded = tokio::time::timeout(self.flush, self.record_all(&mut events)).await;
        if recorded.is_err() {
            tracing::warn!(events = events.len(), "impressions lost at shutdown");
            metrics::impressions_dropped(events.len(), "shutdown");
        }
    }
}

/// The store will never take them; any other failure may pass.
fn is_refusal(error: &CallError) -> bool {
    error.kind() == Kind::InvalidArgument
}

#[cfg(test)]
mod tests;
