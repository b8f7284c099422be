//! Upstreams that answer, fail, hang, delay and lie, for tests of the stages.

use std::{sync::Mutex, time::Duration};

use tonic::Status;
use tributary_domain::{Item, ItemChange, ItemId, ServedEvent, Timestamp, UserContext, UserId};
use tributary_feed::{FollowState, ItemSink};
use tributary_mesh::{CallError, Deadline};

use crate::{
    catalogue::{Catalogue, View},
    config::{ChannelConfig, Config},
    exploration::Plan,
    recall::fallback::Fallback,
    request::{Asked, Request},
    upstreams::{
        ColdQuery, Decision, RankAnswer, RankQuery, RecallAnswer, RecallQuery, Recorded,
        RerankAnswer, RerankQuery, Upstreams,
    },
};

pub(crate) const USER: UserId = UserId(7);
pub(crate) const PERSONAL: usize = 0;
pub(crate) const TRENDING: usize = 1;

/// How an upstream takes a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Act {
    Answer,
    Delay(Duration),
    Hang,
    Dead,
    Overloaded,
    Broken,
    Refused,
}

impl Act {
    async fn perform<T>(self, upstream: &str, answer: T) -> Result<T, CallError> {
        match self {
            Self::Answer => Ok(answer),
            Self::Delay(time) => {
                tokio::time::sleep(time).await;
                Ok(answer)
            }
            Self::Hang => std::future::pending().await,
            Self::Dead => Err(failed(upstream, Status::unavailable("connection refused"))),
            Self::Overloaded => Err(failed(upstream, Status::resource_exhausted("queue is full"))),
            Self::Broken => Err(failed(upstream, Status::internal("a bug"))),
            Self::Refused => Err(failed(upstream, Status::invalid_argument("events"))),
        }
    }
}

fn failed(upstream: &str, status: Status) -> CallError {
    CallError::from_status(upstream, status)
}

/// A channel with its positions and scores.
pub(crate) type Columns = (String, Vec<u32>, Vec<f32>);

pub(crate) struct Fake {
    pub(crate) context: (Act, UserContext),
    pub(crate) channels: Vec<(Act, RecallAnswer)>,
    pub(crate) ranking: (Act, fn(&RankQuery<'_>) -> RankAnswer),
    pub(crate) rerank: (Act, fn(&RerankQuery) -> RerankAnswer),
    pub(crate) record: Mutex<Act>,
    /// Effects of the calls, in their order. Held for a push or a copy only.
    pub(crate) recorded: Mutex<Vec<ServedEvent>>,
    pub(crate) evidence: Mutex<Vec<Columns>>,
}

impl Fake {
    /// Everything answers: personal has 1 to 40, trending 31 to 70; ranking prefers high ids and
    /// rerank takes the order as it is.
    pub(crate) fn good() -> Self {
        Self {
            context: (Act::Answer, UserContext::cold(USER)),
            channels: vec![(Act::Answer, list(1..=40)), (Act::Answer, list(31..=70))],
            ranking: (Act::Answer, by_id),
            rerank: (Act::Answer, as_ranked),
            record: Mutex::new(Act::Answer),
            recorded: Mutex::default(),
            evidence: Mutex::default(),
        }
    }
}

pub(crate) fn by_id(query: &RankQuery<'_>) -> RankAnswer {
    let score = |item: &ItemId| f32::from(u16::try_from(item.0).unwrap());
    let scores: Vec<f32> = query.items.iter().map(score).collect();
    let tasks = if query.with_tasks { vec![("liked".to_owned(), scores.clone())] } else { vec![] };
    RankAnswer { tasks, scores, bundle_id: "b1".into() }
}

pub(crate) fn as_ranked(query: &RerankQuery) -> RerankAnswer {
    let item_ids: Vec<u64> = query.items.iter().map(|item| item.0).take(query.size).collect();
    let decisions = vec![Decision::Score; item_ids.len()];
    RerankAnswer { item_ids, decisions, bundle_id: String::new() }
}

/// A sound answer with falling scores.
pub(crate) fn list(ids: impl IntoIterator<Item = u64>) -> RecallAnswer {
    let item_ids: Vec<u64> = ids.into_iter().collect();
    let scores = (0..item_ids.len()).map(|place| -f32::from(u16::try_from(place).unwrap()));
    RecallAnswer { scores: scores.collect(), item_ids, ..Default::default() }
}

impl Upstreams for Fake {
    async fn context(&self, _: UserId, _: Deadline) -> Result<UserContext, CallError> {
        let (act, context) = &self.context;
        act.perform("feature", context.clone()).await
    }

    async fn recall(
        &self,
        channel: usize,
        query: RecallQuery<'_>,
        _: Deadline,
    ) -> Result<RecallAnswer, CallError> {
        let (act, answer) = &self.channels[channel];
        let mut answer = answer.clone();
        cut(&mut answer.item_ids, query);
        cut(&mut answer.scores, query);
        let cold = query.cold.map_or(0, |cold| cold.limit);
        answer.cold_ids.truncate(cold);
        answer.cold_impressions.truncate(cold);
        act.perform(["recall-personal", "recall-trending"][channel], answer).await
    }

    async fn rank(&self, query: RankQuery<'_>, _: Deadline) -> Result<RankAnswer, CallError> {
        for one in &query.evidence {
            let row = (one.channel.to_owned(), one.positions.clone(), one.scores.clone());
            self.evidence.lock().unwrap().push(row);
        }
        let (act, answer) = self.ranking;
        act.perform("ranking", answer(&query)).await
    }

    async fn rerank(&self, query: RerankQuery, _: Deadline) -> Result<RerankAnswer, CallError> {
        let (act, answer) = self.rerank;
        act.perform("rerank", answer(&query)).await
    }

    async fn record(&self, events: Vec<ServedEvent>, _: Deadline) -> Result<Recorded, CallError> {
        let act = *self.record.lock().unwrap();
        let recorded = u32::try_from(events.len()).unwrap();
        act.perform("feature", ()).await?;
        self.recorded.lock().unwrap().extend(events);
        Ok(Recorded { recorded, duplicates: 0 })
    }
}

fn cut<T>(column: &mut Vec<T>, query: RecallQuery<'_>) {
    let offset = usize::try_from(query.offset).unwrap();
    column.drain(..offset.min(column.len()));
    column.truncate(query.limit);
}

pub(crate) fn config() -> Config {
    tributary_runtime::parse(
        r#"
        [[channel]]
        name = "personal"
        address = "http://127.0.0.1:1"
        [[channel]]
        name = "trending"
        address = "http://127.0.0.1:2"
        "#,
    )
    .unwrap()
}

pub(crate) fn channel(name: &str) -> ChannelConfig {
    config().channel.into_iter().find(|channel| channel.name == name).unwrap()
}

/// A first page from both channels.
pub(crate) fn request(size: usize) -> Request {
    Request {
        user: USER,
        scene: "home".into(),
        size,
        served: Vec::new(),
        asked: [PERSONAL, TRENDING].map(|channel| Asked { channel, weight: 1 }).into(),
        exploration: None,
        theta: None,
        skip_ranking: false,
        skip_rerank: false,
        skip_impressions: false,
        explain: false,
    }
}

/// Places of a page, from 0, that are reserved for what trending says is cold.
pub(crate) fn reserved(places: impl IntoIterator<Item = usize>) -> Plan {
    let query = ColdQuery { limit: 50, until_impressions: 100, created_after: Timestamp(1) };
    Plan { channel: TRENDING, query, places: places.into_iter().collect() }
}

/// A complete catalogue of the items, and of those deleted.
pub(crate) fn view(items: impl IntoIterator<Item = Item>, deleted: &[u64]) -> View {
    let catalogue = Catalogue::default();
    let mut changes: Vec<ItemChange> = items.into_iter().map(ItemChange::Upserted).collect();
    changes.extend(deleted.iter().map(|id| ItemChange::Deleted(ItemId(*id))));
    catalogue.sink().apply(&changes);
    catalogue.view(FollowState { applied: 1, head: 1, connected: true, caught_up: true })
}

/// Items 1 to 1,000 without attributes.
pub(crate) fn bare_view() -> View {
    view((1..=1_000).map(|id| Item::bare(ItemId(id))), &[])
}

pub(crate) fn remembered(ids: impl IntoIterator<Item = u64>) -> Fallback {
    let fallback = Fallback::default();
    let answer = list(ids);
    let items = answer.item_ids.iter().zip(&answer.scores);
    let items: Vec<_> = items
        .map(|(id, score)| tributary_domain::Scored { item: ItemId(*id), score: *score })
        .collect();
    let answer = crate::recall::ChannelAnswer::remembered(TRENDING, &items);
    fallback.learn(&answer, &UserContext::cold(USER));
    fallback
}
