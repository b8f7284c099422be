//! The clockwork of a channel that follows the feature service's logs.

mod revision;

use std::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde::Deserialize;
use tokio::{
    sync::{Notify, watch},
    task, time,
};
use tributary_domain::{FieldError, ItemChange};

use self::revision::Revision;
use crate::{Lists, RecallError};

/// How soon changes show.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiveConfig {
    /// The least time between two publications; each takes in all changes since the one before.
    #[serde(with = "humantime_serde")]
    pub publish: Duration,
    /// How often ordinary changes may renew the cached lists. What is deleted or hidden renews
    /// them at once.
    #[serde(with = "humantime_serde")]
    pub renew: Duration,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self { publish: Duration::from_millis(100), renew: Duration::from_secs(10) }
    }
}

impl LiveConfig {
    /// Refuses values that break the promise that a change shows within a second, naming the key
    /// inside this section.
    pub fn check(&self) -> Result<(), FieldError> {
        match self.publish <= Duration::from_millis(500) {
            true => Ok(()),
            false => Err(FieldError::new("publish", "more than 500ms: changes must show in 1s")),
        }
    }
}

/// Ties together the sinks, which take changes in, the publication, which makes them visible, the
/// lists, which are forgotten with the users they were made for, and the requests, which are let in
/// once the logs are caught up with.
pub struct Live {
    publish: Duration,
    revision: Revision,
    signal: Notify,
    withdrawn: AtomicBool,
    lists: Lists,
    /// Users were deleted since the lists were last forgotten.
    deleted: Notify,
    open: watch::Sender<bool>,
}

impl Live {
    /// `lists` are those of the channel's service.
    pub fn new(config: &LiveConfig, lists: Lists) -> Self {
        Self {
            publish: config.publish,
            revision: Revision::new(config.renew),
            signal: Notify::new(),
            withdrawn: AtomicBool::new(false),
            lists,
            deleted: Notify::new(),
            open: watch::Sender::new(false),
        }
    }

    /// Changes were taken in.
    pub fn changed(&self) {
        self.signal.notify_one();
    }

    /// Changes of the catalogue were taken in.
    pub fn items_changed(&self, changes: &[ItemChange]) {
        match changes.iter().any(withdraws) {
            true => self.withdrawn(),
            false => self.changed(),
        }
    }

    /// Changes were taken in that take items away.
    pub fn withdrawn(&self) {
        self.withdrawn.store(true, Ordering::Release);
        self.signal.notify_one();
    }

    /// Users were deleted: what was computed for anybody goes.
    pub fn users_deleted(&self) {
        self.deleted.notify_one();
    }

    /// The channel's revision.
    pub fn revision(&self) -> u64 {
        self.revision.current()
    }

    /// Refuses requests until the logs have been caught up with for the first time: an answer from
    /// half a catalogue would look like a good one.
    pub fn admit(&self) -> Result<(), RecallError> {
        match *self.open.borrow() {
            true => Ok(()),
            false => Err(RecallError::CATCHING_UP),
        }
    }

    /// Waits until requests are let in.
    pub async fn opened(&self) {
        let mut open = self.open.subscribe();
        open.wait_for(|open| *open).await.expect("the sender lives as long as this");
    }

    /// Publishes changes as they come; once `caught_up` ends, lets requests in. `publish` runs on a
    /// blocking thread, never twice at once. Never ends.
    pub async fn run<P>(&self, publish: P, caught_up: impl Future<Output = ()>)
    where
        P: Fn() + Clone + Send + 'static,
    {
        let forgetting = async {
            loop {
                self.deleted.notified().await;
                self.lists.forget().await;
            }
        };
        tokio::join!(self.keep_published(publish, caught_up), forgetting);
    }

    async fn keep_published<P>(&self, publish: P, caught_up: impl Future<Output = ()>)
    where
        P: Fn() + Clone + Send + 'static,
    {
        let mut caught_up = pin!(caught_up);
        // One loop for both: of two publications at once, the older could replace the newer.
        loop {
            tokio::select! {
                () = &mut caught_up, if !*self.open.borrow() => {
                    self.publish(publish.clone()).await;
                    self.open.send_replace(true);
                }
                () = self.signal.notified() => {
                    self.publish(publish.clone()).await;
                    time::sleep(self.publish).await;
                }
            }
        }
    }

    async fn publish(&self, publish: impl FnOnce() + Send + 'static) {
        // Taken before: a withdrawal that comes later may miss this publication.
        let withdrawn = self.withdrawn.swap(false, Ordering::AcqRel);
        if let Err(error) = task::spawn_blocking(publish).await {
            tracing::error!(%error, "publishing changes failed");
        }
        // Raised after: lists computed for the new revision must come from what is published.
        match withdrawn {
            true => self.revision.withdrawn(),
            false => self.revision.changed(),
        }
    }
}

fn withdraws(change: &ItemChange) -> bool {
    match change {
        ItemChange::Upserted(item) => item.hidden,
        ItemChange::Deleted(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::CacheConfig;

    fn live() -> Live {
        let hour = Duration::from_hours(1);
        let lists = Lists::new("test", &CacheConfig::default());
        Live::new(&LiveConfig { publish: Duration::ZERO, renew: hour }, lists)
    }

    #[tokio::test]
    async fn a_withdrawal_shows_in_the_revision_only_once_it_is_published() {
        let live = Arc::new(live());
        live.withdrawn();
        assert_eq!(live.revision(), 0);
        let seen = Arc::new(Mutex::new(None));
        let (during, watched) = (Arc::clone(&seen), Arc::clone(&live));
        live.publish(move || *during.lock().unwrap() = Some(watched.revision())).await;
        assert_eq!(*seen.lock().unwrap(), Some(0));
        assert_eq!(live.revision(), 1);
        live.changed();
        live.publish(|| {}).await;
        assert_eq!(live.revision(), 1);
    }

    #[test]
    fn requests_are_refused_before_the_logs_are_caught_up_with() {
        assert!(matches!(live().admit(), Err(RecallError::NotReady(_))));
    }
}
