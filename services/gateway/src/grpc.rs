//! The public service over gRPC: decodes, runs the pipeline, encodes, and sees to what comes after
//! the answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tonic::{Request, Response, Status};
use tributary_domain::{ServedEvent, Timestamp};
use tributary_feed::Follower;
use tributary_mesh::Deadline;
use tributary_proto::gateway::v1::{
    ExplainRequest, ExplainResponse, RecommendRequest, RecommendResponse, RecordEventsRequest,
    RecordEventsResponse, gateway_service_server::GatewayService,
};

use crate::{
    answer,
    catalogue::{Catalogue, View},
    config::Config,
    effects::{
        impressions::{Impressions, Shown},
        served,
    },
    error::GatewayError,
    metrics::{self, Metrics},
    outcome::{Outcome, StageReport},
    page_token::Tokens,
    pipeline::Pipeline,
    recall::fallback::Fallback,
    request,
    upstreams::Upstreams,
};

mod decode;
mod encode;
pub mod upstreams;

/// Longest deadline of a request.
const MAXIMUM_DEADLINE: Duration = Duration::from_secs(10);

/// What the service works with.
pub struct Gateway<U> {
    pub upstreams: Arc<U>,
    pub config: Arc<Config>,
    pub catalogue: Catalogue,
    pub follower: Arc<Follower>,
    pub fallback: Fallback,
    pub tokens: Tokens,
    pub impressions: Impressions,
    pub metrics: Metrics,
}

impl<U: Upstreams> Gateway<U> {
    async fn run(&self, request: &request::Request, view: &View, deadline: Deadline) -> Outcome {
        let Self { upstreams, config, fallback, .. } = self;
        let pipeline = Pipeline { upstreams: &**upstreams, config, view, fallback };
        pipeline.run(request, deadline).await
    }

    fn view(&self) -> View {
        self.catalogue.view(self.follower.state())
    }

    /// Makes the answer, counts it, and queues what comes after it.
    fn answer(
        &self,
        request: &request::Request,
        view: &View,
        mut outcome: Outcome,
    ) -> RecommendResponse {
        let start = Instant::now();
        let now = Timestamp::now();
        let page_token = answer::next_page(&self.tokens, request, &outcome, now);
        let items = encode::items(&outcome, &self.config, view, request);
        let took = start.elapsed();
        let (candidates_in, candidates_out) = (outcome.slate.len(), items.len());
        let report = StageReport { stage: "answer", candidates_in, candidates_out, took };
        outcome.stages.push(report);
        outcome.total += took;
        self.metrics.observe(&outcome);
        if outcome.slate.is_empty() && request.served.is_empty() {
            metrics::empty_answer();
        }
        let request_id = request_id();
        self.show(request, &outcome, &request_id, now);
        RecommendResponse {
            items,
            page_token,
            explanation: request.explain.then(|| encode::explanation(&outcome, &self.config)),
            bundle_ids: std::mem::take(&mut outcome.bundles).into_iter().collect(),
            degraded: outcome.degraded.into_iter().map(encode::degradation).collect(),
            request_id,
        }
    }

    /// Queues the impressions of the answer.
    fn show(&self, request: &request::Request, outcome: &Outcome, id: &str, time: Timestamp) {
        if !request.skip_impressions && !outcome.slate.is_empty() {
            let items = served::contexts(outcome, &self.config, request, id);
            self.impressions.offer(Shown { user: request.user, items, time });
        }
    }
}

#[tonic::async_trait]
impl<U: Upstreams> GatewayService for Gateway<U> {
    async fn recommend(
        &self,
        request: Request<RecommendRequest>,
    ) -> Result<Response<RecommendResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let now = Timestamp::now();
        let decoded = decode::recommend(message, &self.config, &self.tokens, now);
        let (request, time) = decoded.map_err(GatewayError::from)?;
        let time = time.unwrap_or(self.config.deadline.default);
        let deadline = Deadline::of(&metadata, MAXIMUM_DEADLINE, time);
        let view = self.view();
        let outcome = self.run(&request, &view, deadline).await;
        let response = self.answer(&request, &view, outcome);
        tracing::debug!(
            request_id = response.request_id,
            user = request.user.0,
            scene = request.scene,
            items = response.items.len(),
            degraded = response.degraded.len(),
            "recommended"
        );
        Ok(Response::new(response))
    }

    async fn record_events(
        &self,
        request: Request<RecordEventsRequest>,
    ) -> Result<Response<RecordEventsResponse>, Status> {
        let time = self.config.deadline.events;
        let deadline = Deadline::of(request.metadata(), MAXIMUM_DEADLINE, time);
        let events = decode::events(request.into_inner()).map_err(GatewayError::from)?;
        let events = events.into_iter().map(ServedEvent::from).collect();
        let call = self.upstreams.record(events, deadline);
        let recorded = call.await.map_err(GatewayError::from)?;
        Ok(Response::new(RecordEventsResponse {
            recorded: recorded.recorded,
            duplicates: recorded.duplicates,
        }))
    }

    async fn explain(
        &self,
        request: Request<ExplainRequest>,
    ) -> Result<Response<ExplainResponse>, Status> {
        let time = self.config.deadline.default;
        let deadline = Deadline::of(request.metadata(), MAXIMUM_DEADLINE, time);
        let decoded = decode::explain(request.into_inner(), &self.config, Timestamp::now());
        let (request, items) = decoded.map_err(GatewayError::from)?;
        let outcome = self.run(&request, &self.view(), deadline).await;
        Ok(Response::new(ExplainResponse {
            verdicts: encode::verdicts(&outcome, &self.config, &items),
            explanation: Some(encode::explanation(&outcome, &self.config)),
            degraded: outcome.degraded.into_iter().map(encode::degradation).collect(),
        }))
    }
}

fn request_id() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}
