use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use tributary_bundle::{Loaded, Refused, Served};
use tributary_runtime::Health;

use crate::RecallError;

/// What a channel made of the published bundle, for the channels that answer from one.
#[derive(Debug)]
pub struct Bundled<T>(Served<T>);

impl<T> Clone for Bundled<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + Sync + 'static> Bundled<T> {
    pub fn new(served: Served<T>) -> Self {
        Self(served)
    }

    /// The bundle to answer one whole call from. Before the first, [`RecallError::Refused`] with
    /// the reason where one is published that cannot be used, else [`RecallError::NO_BUNDLE`].
    pub fn current(&self) -> Result<Arc<Loaded<T>>, RecallError> {
        self.0.current().ok_or_else(|| match self.refused() {
            Some(Refused { reason, .. }) => RecallError::Refused { reason },
            None => RecallError::NO_BUNDLE,
        })
    }

    fn refused(&self) -> Option<Refused> {
        self.0.refusals().borrow().clone()
    }

    /// The channel's revision: another for every bundle, 0 before the first.
    pub fn revision(&self) -> u64 {
        self.0.current().map_or(0, |loaded| {
            let mut hasher = DefaultHasher::new();
            loaded.bundle_id.hash(&mut hasher);
            hasher.finish()
        })
    }

    /// Tells `health` of the bundle in use, now and after every swap, and that the channel is
    /// ready once there is one; and as `refused`, of the last bundle that could not be used.
    /// `describe` adds what the channel has to say about a bundle. Runs until it is dropped.
    pub async fn report(&self, health: Health, describe: impl Fn(&T, &Health)) {
        let (mut changes, mut refusals) = (self.0.changes(), self.0.refusals());
        loop {
            // Marked before they are read: what changes in between is told of again.
            changes.mark_unchanged();
            refusals.mark_unchanged();
            if let Some(refused) = self.refused() {
                health.describe("refused", refused.bundle_id.as_str());
            }
            if let Some(loaded) = self.0.current() {
                health.describe("bundle", loaded.bundle_id.as_str());
                describe(&loaded.value, &health);
                health.ready();
            }
            let changed = tokio::select! {
                changed = changes.changed() => changed,
                changed = refusals.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
        }
    }
}
