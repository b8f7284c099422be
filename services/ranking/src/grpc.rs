use std::sync::Arc;

use tonic::{Request, Response, Status};
use tributary_domain::{FieldError, ItemId, UserContext, at, prefixed};
use tributary_mesh::status;
use tributary_proto::ranking::v1 as wire;
use wire::ranking_service_server::RankingService;

use crate::{
    RankingError,
    evidence::ChannelColumns,
    rank::{Query, Ranker, Ranking},
};

const CANDIDATES: usize = 2_000;
const CHANNELS: usize = 16;

/// The contract of ranking.
pub(crate) struct Service {
    ranker: Arc<Ranker>,
}

impl Service {
    pub(crate) fn new(ranker: Arc<Ranker>) -> Self {
        Self { ranker }
    }

    async fn answer(&self, request: wire::RankRequest) -> Result<wire::RankResponse, RankingError> {
        let with_tasks = request.with_tasks;
        let ranking = self.ranker.rank(decode(request)?).await?;
        Ok(encode(ranking, with_tasks))
    }
}

#[tonic::async_trait]
impl RankingService for Service {
    async fn rank(
        &self,
        request: Request<wire::RankRequest>,
    ) -> Result<Response<wire::RankResponse>, Status> {
        let answer = self.answer(request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }
}

fn decode(request: wire::RankRequest) -> Result<Query, FieldError> {
    let wire::RankRequest { context, item_ids, evidence, with_tasks: _ } = request;
    let context = context.ok_or_else(|| FieldError::new("context", "must be given"))?;
    let items = ItemId::distinct_from_wire(&item_ids, CANDIDATES, "item_ids")?;
    Ok(Query {
        context: UserContext::try_from(context).map_err(prefixed("context"))?,
        evidence: decode_evidence(evidence, items.len())?,
        items,
    })
}

fn decode_evidence(
    evidence: Vec<wire::ChannelEvidence>,
    candidates: usize,
) -> Result<Vec<ChannelColumns>, FieldError> {
    if evidence.len() > CHANNELS {
        let reason = format_args!("{} channels are more than {CHANNELS}", evidence.len());
        return Err(FieldError::new("evidence", reason));
    }
    let mut columns: Vec<ChannelColumns> = Vec::with_capacity(evidence.len());
    for (index, channel) in evidence.into_iter().enumerate() {
        let column = decode_column(channel, candidates).map_err(at("evidence", index))?;
        if columns.iter().any(|known| known.channel == column.channel) {
            let reason = format_args!("{} is named twice", column.channel);
            return Err(FieldError::new(format!("evidence[{index}].channel"), reason));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn decode_column(
    evidence: wire::ChannelEvidence,
    candidates: usize,
) -> Result<ChannelColumns, FieldError> {
    let wire::ChannelEvidence { channel, positions, scores } = evidence;
    if channel.is_empty() {
        return Err(FieldError::new("channel", "must not be empty"));
    }
    for (name, length) in [("positions", positions.len()), ("scores", scores.len())] {
        if length != candidates {
            let reason = format_args!("{length} values for {candidates} candidates");
            return Err(FieldError::new(name, reason));
        }
    }
    if !scores.iter().all(|score| score.is_finite()) {
        return Err(FieldError::new("scores", "must be finite"));
    }
    Ok(ChannelColumns { channel: channel.into(), positions, scores })
}

fn encode(ranking: Ranking, with_tasks: bool) -> wire::RankResponse {
    let Ranking { scores, tasks, unknown, bundle } = ranking;
    let tasks = tasks.into_iter().filter(|_| with_tasks);
    wire::RankResponse {
        scores,
        tasks: tasks.map(|(task, scores)| wire::TaskScores { task, scores }).collect(),
        unknown_item_ids: unknown.into_iter().map(|item| item.0).collect(),
        bundle_id: bundle.to_string(),
    }
}
