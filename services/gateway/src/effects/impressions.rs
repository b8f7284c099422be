//! Records what was shown: for the seen filter, for training, for experiments.
//!
//! The queue is bounded. Where it is full the newest answer is dropped and counted: a request never
//! waits for the store. While the store is away the recorder holds on to what it has and tries
//! again; events are idempotent, so that trying twice records once.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use tributary_domain::{Action, Behaviour, Event, ItemId, Timestamp, UserId};
use tributary_mesh::{CallError, Deadline, Failure};

use crate::{config::ImpressionsConfig, metrics, upstreams::Upstreams};

/// Most events that the contract lets a call have.
const MAXIMUM_EVENTS: usize = 1_000;
/// Answers taken off the queue at once.
const TAKEN: usize = 64;
const CALL: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What one answer showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub user: UserId,
    pub items: Vec<ItemId>,
    pub time: Timestamp,
}

impl Shown {
    fn events(&self) -> impl Iterator<Item = Event> {
        let Self { user, time, .. } = *self;
        self.items.iter().map(move |&item| {
            let behaviour = Behaviour { item, action: Action::Impression, time, dwell_ms: 0 };
            Event { user, behaviour }
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
            Err(mpsc::error::TrySendError::Full(_)) => {
                metrics::impressions_dropped(1, "queue_full")
            }
            Err(mpsc::error::TrySendError::Closed(_)) => {
                metrics::impressions_dropped(1, "shutdown");
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
        while let Some(count) =
            shutdown.run_until_cancelled(self.waiting.recv_many(&mut taken, TAKEN)).await
        {
            if count == 0 {
                return;
            }
            self.record_patiently(&taken).await;
            taken.clear();
        }
        self.flush().await;
    }

    /// Tries until the events are recorded, refused, or the shutdown begins and one try failed.
    async fn record_patiently(&self, taken: &[Shown]) {
        let events: Vec<Event> = taken.iter().flat_map(Shown::events).collect();
        for chunk in events.chunks(MAXIMUM_EVENTS) {
            let mut pause = FIRST_PAUSE;
            while let Err(error) = self.record(chunk, CALL).await {
                if is_refusal(&error) || self.shutdown.is_cancelled() {
                    tracing::warn!(events = chunk.len(), %error, "impressions were not recorded");
                    metrics::impressions_dropped(taken.len(), "refused");
                    break;
                }
                tracing::debug!(events = chunk.len(), %error, "impressions wait for the store");
                self.pause(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Sleeps, or less where the shutdown begins.
    async fn pause(&self, pause: Duration) {
        self.shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
    }

    async fn record(&self, events: &[Event], time: Duration) -> Result<(), CallError> {
        let deadline = Deadline::after(time);
        let call = self.upstreams.record(events.to_vec(), deadline);
        tokio::time::timeout_at(deadline.instant(), call)
            .await
            .unwrap_or_else(|_| Err(CallError::timeout("feature")))?;
        metrics::impressions_recorded(events.len());
        Ok(())
    }

    async fn flush(mut self) {
        self.waiting.close();
        let end = Instant::now() + self.flush;
        let mut left = Vec::new();
        while let Some(shown) = self.waiting.recv().await {
            left.push(shown);
        }
        let events: Vec<Event> = left.iter().flat_map(Shown::events).collect();
        for chunk in events.chunks(MAXIMUM_EVENTS) {
            let time = end.saturating_duration_since(Instant::now());
            if let Err(error) = self.record(chunk, time).await {
                tracing::warn!(%error, answers = left.len(), "impressions lost at shutdown");
                metrics::impressions_dropped(left.len(), "shutdown");
                return;
            }
        }
    }
}

/// The store is there and will not take them; trying again changes nothing.
fn is_refusal(error: &CallError) -> bool {
    matches!(error.failure, Failure::Error | Failure::InvalidAnswer)
}

#[cfg(test)]
mod tests;
