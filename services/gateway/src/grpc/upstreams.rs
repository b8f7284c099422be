//! The upstreams over gRPC, through the mesh's client stack.

use tributary_domain::{ServedEvent, UserContext, UserId};
use tributary_mesh::{CallError, Client, ClientConfig, ClientError, Deadline, call, request};
use tributary_proto::{
    entity::v1 as entity,
    feature::v1::{
        GetUserContextRequest, GetUserContextResponse, RecordEventsRequest, RecordEventsResponse,
        feature_service_client::FeatureServiceClient,
    },
    ranking::v1::{self as ranking, ranking_service_client::RankingServiceClient},
    recall::v1::{self as recall, recall_service_client::RecallServiceClient},
    rerank::v1::{self as rerank, rerank_service_client::RerankServiceClient},
};

use crate::{
    config::{ChannelConfig, Config},
    recall::component,
    upstreams::{
        ColdQuery, Decision, Evidence, RankAnswer, RankQuery, RecallAnswer, RecallQuery, Recorded,
        RerankAnswer, RerankQuery, Upstreams,
    },
};

/// Clients of all services behind the gateway. They connect when first used.
pub struct Remote {
    feature: Client,
    channels: Vec<Channel>,
    ranking: Client,
    rerank: Client,
}

struct Channel {
    component: String,
    client: Client,
}

impl Remote {
    pub fn new(config: &Config) -> Result<Self, ClientError> {
        let channel = |channel: &ChannelConfig| {
            let component = component(channel);
            let client = Client::new(&component, &ClientConfig::at(&*channel.address))?;
            Ok(Channel { component, client })
        };
        Ok(Self {
            feature: Client::new("feature", &config.feature)?,
            channels: config.channel.iter().map(channel).collect::<Result<_, ClientError>>()?,
            ranking: Client::new("ranking", &config.ranking)?,
            rerank: Client::new("rerank", &config.rerank)?,
        })
    }

    /// The client of the feature service, for followers of its logs.
    pub fn feature(&self) -> Client {
        self.feature.clone()
    }
}

impl Upstreams for Remote {
    async fn context(&self, user: UserId, deadline: Deadline) -> Result<UserContext, CallError> {
        let mut client = FeatureServiceClient::new(self.feature.clone());
        let message = request(GetUserContextRequest { user_id: user.0 }, deadline);
        let answer = call("feature", deadline, client.get_user_context(message)).await?;
        let GetUserContextResponse { context } = answer;
        let context = context.ok_or_else(|| invalid("feature", "no context in the answer"))?;
        UserContext::try_from(context).map_err(|error| CallError::invalid_answer("feature", error))
    }

    async fn recall(
        &self,
        channel: usize,
        query: RecallQuery<'_>,
        deadline: Deadline,
    ) -> Result<RecallAnswer, CallError> {
        let Channel { component, client } = &self.channels[channel];
        let mut client = RecallServiceClient::new(client.clone());
        let message = recall::RecallRequest {
            context: Some(query.context.clone().into()),
            limit: wire_count(query.limit),
            offset: query.offset,
            scene: query.scene.to_owned(),
            exploration: query.cold.map(exploration),
        };
        let answer = client.recall(request(message, deadline));
        let answer = call(component, deadline, answer).await?;
        let recall::RecallResponse {
            item_ids,
            scores,
            bundle_id,
            cached,
            exploration_item_ids: cold_ids,
            exploration_impressions: cold_impressions,
        } = answer;
        Ok(RecallAnswer { item_ids, scores, bundle_id, cached, cold_ids, cold_impressions })
    }

    async fn rank(
        &self,
        query: RankQuery<'_>,
        deadline: Deadline,
    ) -> Result<RankAnswer, CallError> {
        let mut client = RankingServiceClient::new(self.ranking.clone());
        let message = ranking::RankRequest {
            context: Some(query.context.clone().into()),
            item_ids: query.items.iter().map(|item| item.0).collect(),
            evidence: query.evidence.into_iter().map(evidence).collect(),
            with_tasks: query.with_tasks,
        };
        let answer = call("ranking", deadline, client.rank(request(message, deadline))).await?;
        let ranking::RankResponse { scores, tasks, unknown_item_ids: _, bundle_id } = answer;
        let tasks = tasks.into_iter().map(|task| (task.task, task.scores)).collect();
        Ok(RankAnswer { scores, tasks, bundle_id })
    }

    async fn rerank(
        &self,
        query: RerankQuery,
        deadline: Deadline,
    ) -> Result<RerankAnswer, CallError> {
        let mut client = RerankServiceClient::new(self.rerank.clone());
        let message = rerank::RerankRequest {
            item_ids: query.items.iter().map(|item| item.0).collect(),
            scores: query.scores,
            size: wire_count(query.size),
            theta: query.theta,
            ..Default::default()
        };
        let answer = call("rerank", deadline, client.rerank(request(message, deadline))).await?;
        let decisions = answer.reasons.iter().map(|reason| decision(*reason));
        let decisions = decisions
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| invalid("rerank", "unknown reason in the answer"))?;
        Ok(RerankAnswer { item_ids: answer.item_ids, decisions, bundle_id: answer.bundle_id })
    }

    async fn record(
        &self,
        events: Vec<ServedEvent>,
        deadline: Deadline,
    ) -> Result<Recorded, CallError> {
        let mut client = FeatureServiceClient::new(self.feature.clone());
        let message = request(recorded(events), deadline);
        let answer = call("feature", deadline, client.record_events(message)).await?;
        let RecordEventsResponse { recorded, duplicates } = answer;
        Ok(Recorded { recorded, duplicates })
    }
}

/// Without a column of contexts where none of the events has one.
fn recorded(events: Vec<ServedEvent>) -> RecordEventsRequest {
    let any = events.iter().any(|served| served.served.is_some());
    let rows = events.into_iter().map(|ServedEvent { event, served }| {
        (entity::Event::from(event), served.map(entity::Served::from).unwrap_or_default())
    });
    let (events, served) = rows.unzip();
    RecordEventsRequest { events, served: if any { served } else { Vec::new() } }
}

fn exploration(query: ColdQuery) -> recall::Exploration {
    let ColdQuery { limit, until_impressions, created_after } = query;
    recall::Exploration {
        limit: wire_count(limit),
        until_impressions,
        created_after_ms: created_after.0,
    }
}

fn evidence(evidence: Evidence<'_>) -> ranking::ChannelEvidence {
    let Evidence { channel, positions, scores } = evidence;
    ranking::ChannelEvidence { channel: channel.to_owned(), positions, scores }
}

fn decision(reason: i32) -> Option<Decision> {
    match rerank::Reason::try_from(reason).ok()? {
        rerank::Reason::Unspecified => None,
        rerank::Reason::Score => Some(Decision::Score),
        rerank::Reason::Diversity => Some(Decision::Diversity),
        rerank::Reason::Cap => Some(Decision::Cap),
        rerank::Reason::Fill => Some(Decision::Fill),
    }
}

fn invalid(upstream: &str, what: &'static str) -> CallError {
    CallError::invalid_answer(upstream, what)
}

/// Limits and sizes are bounded by the contract, far below 32 bits.
fn wire_count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
