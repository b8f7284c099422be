//! What a channel with a bundle has of the item log: deletions and new items count in it within a
//! second, as they do in the channels that live from the log.

use std::{sync::Arc, time::Duration};

use tokio::time;
use tokio_util::sync::CancellationToken;
use tributary_domain::ItemChange;
use tributary_feed::{Follower, ItemSink, follow_items};
use tributary_fresh::Items;
use tributary_mesh::{Client, ClientConfig, ClientError};
use tributary_runtime::{ServeError, Server};

use crate::{Lists, Live, LiveConfig, serve};

/// Why a channel that follows the item log cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum FollowingError {
    #[error("the address of the feature service cannot be used")]
    Feature(#[from] ClientError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the items of the feature service are no longer followed")]
    Unfollowed,
}

/// How the log is followed.
#[derive(Debug, Clone, Copy)]
pub struct FollowingConfig<'a> {
    /// Whose log.
    pub feature: &'a ClientConfig,
    pub live: &'a LiveConfig,
    /// Where the feature service is away at the start, requests are let in after this time: the
    /// gateway filters what the bundle does not know to be gone.
    pub startup_wait: Duration,
}

/// The follower of the item log, with what makes its changes count.
pub struct Following {
    live: Arc<Live>,
    follower: Follower,
    wait: Duration,
}

impl Following {
    /// Follows the log into `items`; `lists` are those of the channel's service.
    pub fn start(
        config: &FollowingConfig<'_>,
        items: &Items,
        lists: Lists,
        shutdown: CancellationToken,
    ) -> Result<Self, FollowingError> {
        let feature = Client::new("feature", config.feature)?;
        let live = Arc::new(Live::new(config.live, lists));
        let sink = Sink { items: items.sink(), live: Arc::clone(&live) };
        let follower = follow_items(feature, sink, shutdown);
        Ok(Self { follower, live, wait: config.startup_wait })
    }

    /// The channel's revisions, and whether requests are let in.
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live)
    }

    /// Runs the channel's server to its end, and `report` from when requests are let in. Ends with
    /// an error where the log can no longer be followed: what is held would grow old.
    pub async fn serve(
        &self,
        server: Server,
        report: impl Future<Output = ()>,
    ) -> Result<(), FollowingError> {
        let opened = async {
            self.live.opened().await;
            report.await;
        };
        let beside = async {
            tokio::join!(self.run(), opened);
        };
        tokio::select! {
            served = serve(server, beside) => Ok(served?),
            () = self.follower.ended() => Err(FollowingError::Unfollowed),
        }
    }

    /// Makes changes count as they come. Never ends.
    async fn run(&self) {
        let known = async {
            let wait = self.wait;
            if time::timeout(wait, self.follower.caught_up()).await.is_err() {
                tracing::warn!(?wait, "serving without the item log");
            }
        };
        // The vectors, and which items are gone, were published by the sink.
        self.live.run(|| {}, known).await;
    }
}

struct Sink<S> {
    items: S,
    live: Arc<Live>,
}

impl<S: ItemSink> ItemSink for Sink<S> {
    fn apply(&mut self, changes: &[ItemChange]) {
        self.items.apply(changes);
        self.live.items_changed(changes);
    }

    fn restart(&mut self) {
        self.items.restart();
        self.live.withdrawn();
    }

    fn users_deleted(&mut self) {
        self.live.users_deleted();
    }
}
