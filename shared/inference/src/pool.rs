use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use tokio::sync::{
    mpsc::{self, Receiver, Sender, error::TrySendError},
    oneshot,
};
use tributary_bundle::Tensors;

use crate::{
    InferenceConfig, InferenceError, Port, Provider, Runtime, Session, batch, metrics,
    shape::{Signature, row_shapes},
};

/// Inference threads behind a bounded queue. Dropping the pool ends its threads.
#[derive(Debug)]
pub struct Pool {
    /// `None` only while the pool is dropped.
    queue: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    signature: Signature,
    provider: Provider,
}

#[derive(Debug)]
struct Job {
    tensors: Tensors,
    rows: usize,
    reply: oneshot::Sender<Result<Tensors, InferenceError>>,
}

impl Pool {
    /// Loads the model once for each thread and starts the threads.
    pub fn start(
        runtime: &Runtime,
        bytes: &[u8],
        config: &InferenceConfig,
    ) -> Result<Self, InferenceError> {
        let sessions: Result<Vec<Session>, _> =
            (0..config.threads.max(1)).map(|_| Session::load(runtime, bytes, config)).collect();
        let sessions = sessions?;
        let (signature, provider) = (sessions[0].signature().clone(), sessions[0].provider());
        let (queue, jobs) = mpsc::channel(config.queue.max(1));
        let intake = Arc::new(Intake {
            jobs: Mutex::new(jobs),
            idle: AtomicUsize::new(0),
            max_rows: config.max_batch_rows,
        });
        let threads: Result<Vec<_>, _> = sessions
            .into_iter()
            .enumerate()
            .map(|(index, session)| {
                let worker = Worker { session, intake: Arc::clone(&intake), next: None };
                thread::Builder::new()
                    .name(format!("inference-{index}"))
                    .spawn(move || worker.work())
                    .map_err(InferenceError::Thread)
            })
            .collect();
        metrics::serving(provider);
        Ok(Self { queue: Some(queue), threads: threads?, signature, provider })
    }

    /// Computes all outputs for one request. Does not wait for room in the queue:
    /// [`InferenceError::Overloaded`] where there is none. A request whose future is dropped
    /// before its turn is not computed.
    pub async fn run(&self, tensors: Tensors) -> Result<Tensors, InferenceError> {
        let rows = self.signature.check(&tensors)?;
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(InferenceError::Stopped)?;
        queue.try_send(Job { tensors, rows, reply }).map_err(|error| match error {
            TrySendError::Full(_) => {
                metrics::shed();
                InferenceError::Overloaded
            }
            TrySendError::Closed(_) => InferenceError::Stopped,
        })?;
        answer.await.map_err(|_| InferenceError::Stopped)?
    }

    pub fn provider(&self) -> Provider {
        self.provider
    }

    pub fn inputs(&self) -> &[Port] {
        &self.signature.inputs
    }

    pub fn outputs(&self) -> &[Port] {
        &self.signature.outputs
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("an inference thread had panicked");
            }
        }
    }
}

/// The reading end of the queue, shared by the threads.
struct Intake {
    /// Held by the one thread that waits for the next job.
    jobs: Mutex<Receiver<Job>>,
    /// Threads that wait for a job.
    idle: AtomicUsize,
    max_rows: usize,
}

impl Intake {
    /// Waits for a job and adds waiting ones that fit in the same batch, leaving the other idle
    /// threads their share. What was taken but does not fit is put into `next`. Empty when the
    /// pool ends.
    fn batch(&self, next: &mut Option<Job>) -> Vec<Job> {
        let (first, mut jobs) = match next.take() {
            // Whoever holds the lock may hold it until the next request comes.
            Some(carried) => match self.jobs.try_lock() {
                Ok(jobs) => (Some(carried), jobs),
                Err(TryLockError::Poisoned(poisoned)) => (Some(carried), poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => return vec![carried],
            },
            None => self.wait(),
        };
        let others = self.idle.load(Ordering::Relaxed);
        let mut batch: Vec<Job> = first.into_iter().collect();
        let mut rows: usize = batch.iter().map(|job| job.rows).sum();
        let mut share = jobs.len() / (others + 1);
        while share > 0 && rows < self.max_rows {
            let Ok(job) = jobs.try_recv() else { break };
            rows += job.rows;
            share -= 1;
            if rows > self.max_rows || row_shapes(&job.tensors) != row_shapes(&batch[0].tensors) {
                *next = Some(job);
                break;
            }
            batch.push(job);
        }
        batch
    }

    fn wait(&self) -> (Option<Job>, MutexGuard<'_, Receiver<Job>>) {
        self.idle.fetch_add(1, Ordering::Relaxed);
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let first = jobs.blocking_recv();
        self.idle.fetch_sub(1, Ordering::Relaxed);
        (first, jobs)
    }
}

struct Worker {
    session: Session,
    intake: Arc<Intake>,
    next: Option<Job>,
}

impl Worker {
    fn work(mut self) {
        loop {
            let mut batch = self.intake.batch(&mut self.next);
            if batch.is_empty() {
                return;
            }
            // Nobody waits for these any more.
            batch.retain(|job| !job.reply.is_closed());
            self.answer(batch);
        }
    }

    fn answer(&mut self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        match self.compute(&jobs) {
            Ok(answers) => jobs.into_iter().zip(answers).for_each(|(job, answer)| {
                send(job.reply, Ok(answer));
            }),
            // An error may be one request's fault: each is tried by itself.
            Err(_) if jobs.len() > 1 => {
                jobs.into_iter().for_each(|job| self.answer(vec![job]));
            }
            Err(error) => {
                jobs.into_iter().take(1).zip([error]).for_each(|(job, error)| {
                    send(job.reply, Err(error));
                });
            }
        }
    }

    fn compute(&mut self, jobs: &[Job]) -> Result<Vec<Tensors>, InferenceError> {
        let start = Instant::now();
        let rows: Vec<usize> = jobs.iter().map(|job| job.rows).collect();
        let answers = match jobs {
            [job] => vec![self.session.run(&job.tensors)?],
            jobs => {
                let requests: Vec<&Tensors> = jobs.iter().map(|job| &job.tensors).collect();
                batch::split(&self.session.run(&batch::join(&requests))?, &rows)?
            }
        };
        metrics::ran(jobs.len(), rows.iter().sum(), start.elapsed());
        Ok(answers)
    }
}

type Answer = Result<Tensors, InferenceError>;

fn send(reply: oneshot::Sender<Answer>, answer: Answer) {
    if reply.send(answer).is_err() {
        tracing::debug!("an inference answer came too late for its caller");
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use ndarray::{ArrayD, IxDyn};
    use tributary_bundle::Tensor;

    use super::*;
    use crate::Element;

    /// A pool without threads: what is asked of it stays in the queue.
    fn idle(queue: usize) -> (Pool, Receiver<Job>) {
        let (queue, jobs) = mpsc::channel(queue);
        let input = Port { name: "x".into(), element: Element::F32, shape: vec![None, Some(1)] };
        let signature = Signature { inputs: vec![input], outputs: vec![] };
        let provider = Provider::Cpu;
        (Pool { queue: Some(queue), threads: vec![], signature, provider }, jobs)
    }

    fn rows(rows: usize) -> Tensors {
        [("x".to_owned(), Tensor::F32(ArrayD::zeros(IxDyn(&[rows, 1]))))].into()
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_recovers() {
        let (pool, mut jobs) = idle(2);
        let mut waiting = [Box::pin(pool.run(rows(1))), Box::pin(pool.run(rows(2)))];
        for call in &mut waiting {
            assert!(
                std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context)))
                    .await
                    .is_pending()
            );
        }
        let refused = pool.run(rows(3)).await.unwrap_err();
        assert!(refused.is_overload(), "{refused}");
        let job = jobs.recv().await.unwrap();
        assert_eq!(job.rows, 1);
        job.reply.send(Ok(Tensors::new())).unwrap();
        let [first, _] = waiting;
        first.await.unwrap();
        let mut next = Box::pin(pool.run(rows(4)));
        std::future::poll_fn(|context| Poll::Ready(next.as_mut().poll(context).is_pending())).await;
        assert_eq!(jobs.len(), 2);
    }

    #[tokio::test]
    async fn a_pool_whose_threads_are_gone_says_so() {
        let (pool, jobs) = idle(2);
        drop(jobs);
        assert!(matches!(pool.run(rows(1)).await, Err(InferenceError::Stopped)));
    }

    #[test]
    fn batches_are_bounded_and_lose_nothing() {
        let (queue, jobs) = mpsc::channel(16);
        let intake = Intake { jobs: Mutex::new(jobs), idle: AtomicUsize::new(0), max_rows: 5 };
        let mut answers = Vec::new();
        for count in [2, 2, 3, 9, 1] {
            let (reply, answer) = oneshot::channel();
            queue.try_send(Job { tensors: rows(count), rows: count, reply }).unwrap();
            answers.push(answer);
        }
        drop(queue);
        let mut next = None;
        let batches: Vec<Vec<usize>> = std::iter::from_fn(|| {
            let batch: Vec<usize> = intake.batch(&mut next).iter().map(|job| job.rows).collect();
            (!batch.is_empty()).then_some(batch)
        })
        .collect();
        assert_eq!(batches, [vec![2, 2], vec![3], vec![9], vec![1]]);
    }
}
