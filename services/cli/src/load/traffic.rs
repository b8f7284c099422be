//! The requests of a load run: which user, which options, and what one answer was.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;
use tributary_proto::gateway::v1::{
    Overrides, RecommendRequest, gateway_service_client::GatewayServiceClient,
};

use super::record::Sample;
use crate::{CliError, arguments::LoadOptions, connection::Connection};

/// Sends requests. The n-th request of a seed is the same in every run.
pub(super) struct Traffic {
    gateway: Connection,
    users: u64,
    size: u32,
    explain_every: u64,
    seed: u64,
    impressions: bool,
    sent: AtomicU64,
}

impl Traffic {
    pub(super) fn new(gateway: Connection, options: &LoadOptions) -> Self {
        Self {
            gateway,
            users: options.users.max(1),
            size: options.size,
            explain_every: options.explain_every,
            seed: options.seed,
            impressions: options.impressions,
            sent: AtomicU64::new(0),
        }
    }

    /// One request that must succeed, so that a wrong address is not measured.
    pub(super) async fn probe(&self) -> Result<(), CliError> {
        let mut client = GatewayServiceClient::new(self.gateway.client());
        let request = self.gateway.request(self.message(0));
        self.gateway.answer(client.recommend(request).await).map(|_| ())
    }

    /// Sends the next request and measures from `start`.
    pub(super) async fn send(&self, start: Instant) -> Sample {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let mut client = GatewayServiceClient::new(self.gateway.client());
        let answer = client.recommend(self.gateway.request(self.message(number))).await;
        Sample { latency: start.elapsed(), answer: answer.map(tonic::Response::into_inner) }
    }

    fn message(&self, number: u64) -> RecommendRequest {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(number);
        RecommendRequest {
            user_id: random.random_range(1..=self.users),
            scene: "home".into(),
            size: self.size,
            page_token: String::new(),
            overrides: Some(Overrides {
                skip_impressions: !self.impressions,
                ..Overrides::default()
            }),
            explain: self.explain_every > 0 && number.is_multiple_of(self.explain_every),
            deadline_ms: 0,
        }
    }
}
