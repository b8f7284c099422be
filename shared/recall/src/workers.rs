use std::{num::NonZero, sync::Arc, thread::available_parallelism};

use futures::future::try_join_all;
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::RecallError;

/// How much computation a channel takes on at once.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkersConfig {
    /// Computations at once.
    pub threads: NonZero<usize>,
    /// Computations that may wait for one of those; more are refused.
    pub queue: usize,
}

impl Default for WorkersConfig {
    fn default() -> Self {
        let threads = available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Self { threads, queue: 256 }
    }
}

/// Runs computations too long for the async workers on blocking threads, within bounds.
#[derive(Debug)]
pub struct Workers {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
    queue: usize,
}

impl Workers {
    pub fn new(config: &WorkersConfig) -> Self {
        let threads = config.threads.get();
        Self {
            admitted: Arc::new(Semaphore::new(threads + config.queue)),
            running: Arc::new(Semaphore::new(threads)),
            queue: config.queue,
        }
    }

    /// Runs `work`; refuses at once with [`RecallError::Overloaded`] where the queue is full.
    /// Dropping the future before the work began takes it out of the queue; work that has begun
    /// runs to its end and keeps its place until then.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, RecallError> {
        let admitted = Arc::clone(&self.admitted)
            .try_acquire_owned()
            .map_err(|_| RecallError::Overloaded { waiting: self.queue })?;
        let running =
            Arc::clone(&self.running).acquire_owned().await.expect("the semaphore is never closed");
        let work = move || {
            let _places = (admitted, running);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(RecallError::internal)
    }

    /// Runs several works at once, as far as there are free threads; their results stand in the
    /// order of the works. Refused whole where the queue has no room for all of them.
    pub async fn run_all<T, W>(
        &self,
        works: impl IntoIterator<Item = W>,
    ) -> Result<Vec<T>, RecallError>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        try_join_all(works.into_iter().map(|work| self.run(work))).await
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let workers = Workers::new(&WorkersConfig { threads: NonZero::<usize>::MIN, queue: 0 });
        let (release, wait) = mpsc::channel::<()>();
        let mut busy = std::pin::pin!(workers.run(move || wait.recv().unwrap()));
        assert!(futures::poll!(&mut busy).is_pending());
        let refused = workers.run(|| ()).await;
        assert!(matches!(refused, Err(RecallError::Overloaded { .. })));
        release.send(()).unwrap();
        busy.await.unwrap();
        workers.run(|| ()).await.unwrap();
    }

    #[tokio::test]
    async fn works_run_at_once_and_results_keep_their_order() {
        let threads = NonZero::<usize>::new(3).unwrap();
        let workers = Workers::new(&WorkersConfig { threads, queue: 0 });
        // Each ends only once it has heard of the one after it, so that none can wait its turn.
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| mpsc::channel()).unzip();
        let mut senders = senders;
        senders.rotate_left(1);
        let works = senders.into_iter().zip(receivers).enumerate().map(|(place, (tell, hear))| {
            move || {
                tell.send(()).unwrap();
                hear.recv_timeout(Duration::from_secs(20)).expect("the others run meanwhile");
                place
            }
        });
        assert_eq!(workers.run_all(works).await.unwrap(), [0, 1, 2]);
    }

    #[tokio::test]
    async fn works_beyond_the_queue_are_refused_together() {
        let workers = Workers::new(&WorkersConfig { threads: NonZero::<usize>::MIN, queue: 1 });
        let (release, waits): (Vec<_>, Vec<_>) = (0..3).map(|_| mpsc::channel::<()>()).unzip();
        let works = waits.into_iter().map(|wait| move || wait.recv().is_ok());
        let refused = workers.run_all(works).await;
        assert!(matches!(refused, Err(RecallError::Overloaded { .. })));
        drop(release);
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let workers = Workers::new(&WorkersConfig::default());
        let failed: Result<(), _> = workers.run(|| panic!("boom")).await;
        assert!(matches!(failed, Err(RecallError::Failed { .. })));
    }
}
