use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// How far a follower is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FollowState {
    /// The log is applied up to this sequence number.
    pub applied: u64,
    /// The log's last sequence number as last heard.
    pub head: u64,
    /// True while the stream is open.
    pub connected: bool,
    /// True once everything up to the head of that moment was applied. Stays true.
    pub caught_up: bool,
}

impl FollowState {
    /// Sequence numbers between the head and what was applied; numbers that the log skips count.
    pub fn lag(&self) -> u64 {
        self.head.saturating_sub(self.applied)
    }
}

/// Owns the task that follows a log: dropping the follower ends it.
#[derive(Debug)]
pub struct Follower {
    state: watch::Receiver<FollowState>,
    ended: CancellationToken,
    task: JoinHandle<()>,
}

impl Follower {
    pub(crate) fn new(
        state: watch::Receiver<FollowState>,
        ended: CancellationToken,
        task: JoinHandle<()>,
    ) -> Self {
        Self { state, ended, task }
    }

    pub fn state(&self) -> FollowState {
        *self.state.borrow()
    }

    /// Waits until the follower has applied all of the log for the first time. Stays pending where
    /// the follower is shut down before that: select it with the shutdown. Cancel-safe.
    pub async fn caught_up(&self) {
        self.reached(|state| state.caught_up).await;
    }

    /// Waits until the follower has ended by itself: its sink panicked, and what it holds grows old
    /// from then on. Stays pending where the follower is shut down. Cancel-safe.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Waits until `condition` holds; pending for ever where the follower ends before. Cancel-safe.
    pub async fn reached(&self, mut condition: impl FnMut(&FollowState) -> bool) -> FollowState {
        let mut state = self.state.clone();
        let reached = state.wait_for(|state| condition(state)).await.map(|state| *state);
        match reached {
            Ok(state) => state,
            Err(_ended) => std::future::pending().await,
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}
