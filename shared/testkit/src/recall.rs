use std::{net::SocketAddr, time::Duration};

use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Status, transport::Channel};
use tributary_domain::{BundleId, UserContext};
use tributary_proto::recall::v1::{
    RecallRequest, RecallResponse, recall_service_client::RecallServiceClient,
};

use crate::{bookmarks, channel, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);

/// A recall channel in the test's own process. Ends when dropped.
pub struct RecallChannel {
    address: SocketAddr,
    client: RecallServiceClient<Channel>,
    shutdown: CancellationToken,
    serving: AbortOnDropHandle<anyhow::Result<()>>,
}

impl RecallChannel {
    /// Has `start` serve at `address` until its token is cancelled.
    pub fn spawn<F, E>(address: SocketAddr, start: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error>,
    {
        let shutdown = CancellationToken::new();
        let serving = start(shutdown.clone());
        let serving = tokio::spawn(async { serving.await.map_err(Into::into) });
        let client = RecallServiceClient::new(channel(address));
        Self { address, client, shutdown, serving: AbortOnDropHandle::new(serving) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first three items for that user.
    pub async fn recall(&self, context: UserContext) -> Result<RecallResponse, Status> {
        let request = RecallRequest { context: Some(context.into()), limit: 3, ..<_>::default() };
        Ok(self.client.clone().recall(request).await?.into_inner())
    }

    /// Waits until a user gets these items.
    pub async fn gives(&self, context: &UserContext, items: &[u64]) {
        let given = async || match self.recall(context.clone()).await {
            Ok(answer) => answer.item_ids == items,
            Err(status) => panic!("refused: {status}"),
        };
        wait_until(given, PATIENCE).await;
    }

    /// Waits until lists come from that bundle.
    pub async fn answers_from(&self, bundle: &BundleId) {
        let answer = async || {
            let answer = self.recall(bookmarks(&[1], 1)).await;
            answer.is_ok_and(|answer| answer.bundle_id == bundle.as_str())
        };
        wait_until(answer, PATIENCE).await;
    }

    /// Ends it in good order.
    pub async fn stop(self) {
        self.shutdown.cancel();
        let ended = self.serving.await.expect("serving does not panic");
        ended.expect("it ends without an error");
    }
}
