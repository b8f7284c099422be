use std::{sync::Arc, thread, time::Instant};

use redb::Database;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::batch::Batch;
use crate::{
    Retention, metrics,
    store::{Heads, StoreError},
};

/// A transaction takes calls until it holds this many rows: more would make the first ones wait.
const TRANSACTION_ROWS: usize = 10_000;

/// What waits for the writer.
pub(super) enum Job {
    Call(Call),
    /// The writer ends after what came before.
    Stop,
}

pub(super) struct Call {
    /// Rows it changes.
    weight: usize,
    apply: Apply,
}

type Apply = Box<dyn FnOnce(Result<&mut Batch<'_>, StoreError>) -> Answer + Send>;
/// Answers the caller: with what the call gave, or with why it did not become durable.
type Answer = Box<dyn FnOnce(Result<(), StoreError>)>;

impl Job {
    pub(super) fn call<T: Send + 'static>(
        weight: usize,
        apply: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError> + Send + 'static,
        reply: oneshot::Sender<Result<T, StoreError>>,
    ) -> Self {
        let apply: Apply = Box::new(move |batch| {
            let outcome = batch.and_then(apply);
            Box::new(move |durable| {
                if reply.send(durable.and(outcome)).is_err() {
                    tracing::debug!("a caller left before its write was durable");
                }
            })
        });
        Self::Call(Call { weight, apply })
    }
}

/// The thread that writes.
pub(super) struct Writer {
    database: Arc<Database>,
    retention: Retention,
    heads: watch::Sender<Heads>,
    /// Tells that the writer has ended, also where it panicked.
    ended: DropGuard,
}

impl Writer {
    pub(super) fn new(
        database: Arc<Database>,
        retention: Retention,
        heads: Heads,
        ended: CancellationToken,
    ) -> Self {
        metrics::heads(&heads);
        let heads = watch::Sender::new(heads);
        Self { database, retention, heads, ended: ended.drop_guard() }
    }

    pub(super) fn heads(&self) -> watch::Receiver<Heads> {
        self.heads.subscribe()
    }

    pub(super) fn spawn(self, jobs: mpsc::Receiver<Job>) -> std::io::Result<()> {
        thread::Builder::new().name("store-writer".into()).spawn(move || self.run(jobs))?;
        Ok(())
    }

    /// Writes until the store is dropped, or a transaction fails.
    fn run(self, mut jobs: mpsc::Receiver<Job>) {
        let mut open = true;
        while open && let Some(Job::Call(first)) = jobs.blocking_recv() {
            let mut calls = vec![first];
            open = gather(&mut calls, &mut jobs);
            metrics::write_queue(jobs.len());
            if let Err(error) = self.transact(calls) {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the store cannot write any more");
                break;
            }
        }
        // Released before the end is told, so that whoever waits can open the file again.
        let Self { database, ended, .. } = self;
        drop((jobs, database));
        drop(ended);
    }

    fn transact(&self, calls: Vec<Call>) -> Result<(), StoreError> {
        let started = Instant::now();
        let count = calls.len();
        let (answers, outcome) = self.commit(calls);
        metrics::committed(count, started.elapsed(), outcome.is_ok());
        let durable = outcome.map(|heads| self.publish(heads));
        answers.into_iter().for_each(|answer| answer(durable.clone()));
        durable
    }

    /// Runs the calls in one transaction. An answer is ready for every call, also on failure.
    fn commit(&self, calls: Vec<Call>) -> (Vec<Answer>, Result<Heads, StoreError>) {
        let begun = self.database.begin_write().map_err(StoreError::from);
        let mut transaction = match begun {
            Ok(transaction) => transaction,
            Err(error) => return (refuse(calls, &error), Err(error)),
        };
        // After a crash the next start must not take as long as the data is large.
        transaction.set_quick_repair(true);
        let (answers, flushed) = match Batch::begin(&transaction, self.retention) {
            Ok(mut batch) => {
                let answers =
                    calls.into_iter().map(|call| (call.apply)(Ok(&mut batch))).collect::<Vec<_>>();
                (answers, batch.flush())
            }
            Err(error) => (refuse(calls, &error), Err(error)),
        };
        let durable = flushed.and_then(|heads| {
            transaction.commit()?;
            Ok(heads)
        });
        (answers, durable)
    }

    fn publish(&self, heads: Heads) {
        metrics::heads(&heads);
        self.heads.send_if_modified(|current| {
            let moved = *current != heads;
            *current = heads;
            moved
        });
    }
}

fn refuse(calls: Vec<Call>, error: &StoreError) -> Vec<Answer> {
    calls.into_iter().map(|call| (call.apply)(Err(error.clone()))).collect()
}

/// Adds the calls that wait, and gives whether there may be more after them.
fn gather(calls: &mut Vec<Call>, jobs: &mut mpsc::Receiver<Job>) -> bool {
    let mut rows: usize = calls.iter().map(|call| call.weight).sum();
    while rows < TRANSACTION_ROWS {
        match jobs.try_recv() {
            Ok(Job::Call(call)) => {
                rows += call.weight;
                calls.push(call);
            }
            Ok(Job::Stop) => return false,
            Err(_none) => break,
        }
    }
    true
}
