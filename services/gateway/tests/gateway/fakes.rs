//! Upstreams with fixed answers behind the real contracts.

use tonic::{Request, Response, Status};
use tributary_proto::{
    ranking::v1::{self as ranking, ranking_service_server::RankingService},
    recall::v1::{self as recall, recall_service_server::RecallService},
    rerank::v1::{self as rerank, rerank_service_server::RerankService},
};

pub(crate) const BUNDLE: &str = "b1";

fn number(value: u64) -> f32 {
    f32::from(u16::try_from(value).expect("a small number"))
}

/// Proposes these items, in this order.
#[derive(Clone)]
pub(crate) struct FakeRecall(pub(crate) Vec<u64>);

#[tonic::async_trait]
impl RecallService for FakeRecall {
    async fn recall(
        &self,
        request: Request<recall::RecallRequest>,
    ) -> Result<Response<recall::RecallResponse>, Status> {
        let limit = usize::try_from(request.get_ref().limit).expect("a limit");
        let item_ids: Vec<u64> = self.0.iter().copied().take(limit).collect();
        let scores = (0..).map(|place| -number(place)).take(item_ids.len()).collect();
        let bundle_id = BUNDLE.to_owned();
        let answer = recall::RecallResponse { item_ids, scores, bundle_id, ..Default::default() };
        Ok(Response::new(answer))
    }
}

/// Scores an item with its id.
#[derive(Clone)]
pub(crate) struct FakeRanking;

#[tonic::async_trait]
impl RankingService for FakeRanking {
    async fn rank(
        &self,
        request: Request<ranking::RankRequest>,
    ) -> Result<Response<ranking::RankResponse>, Status> {
        let ranking::RankRequest { item_ids, with_tasks, .. } = request.into_inner();
        let scores: Vec<f32> = item_ids.into_iter().map(number).collect();
        let liked = ranking::TaskScores { task: "liked".into(), scores: scores.clone() };
        let tasks = if with_tasks { vec![liked] } else { Vec::new() };
        let bundle_id = BUNDLE.to_owned();
        let unknown_item_ids = Vec::new();
        Ok(Response::new(ranking::RankResponse { scores, tasks, unknown_item_ids, bundle_id }))
    }
}

/// Takes the order as it is.
#[derive(Clone)]
pub(crate) struct FakeRerank;

#[tonic::async_trait]
impl RerankService for FakeRerank {
    async fn rerank(
        &self,
        request: Request<rerank::RerankRequest>,
    ) -> Result<Response<rerank::RerankResponse>, Status> {
        let rerank::RerankRequest { mut item_ids, size, .. } = request.into_inner();
        item_ids.truncate(usize::try_from(size).expect("a size"));
        let count = u32::try_from(item_ids.len()).expect("a count");
        Ok(Response::new(rerank::RerankResponse {
            score_positions: (1..=count).collect(),
            reasons: vec![rerank::Reason::Score.into(); item_ids.len()],
            item_ids,
            ..Default::default()
        }))
    }
}
