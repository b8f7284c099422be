//! The process edge of the pipeline: what it asks of other services, in the gateway's own words.
//!
//! Answers come as they were sent, in columns and unchecked; the stages check them, because what is
//! rubbish and what it costs is a decision of the request path. `grpc::upstreams` implements the
//! port over the network, tests with fakes that delay, fail, hang and lie.

use std::{future::Future, time::Duration};

use tokio::time::Instant;
use tributary_domain::{ItemId, ServedEvent, Timestamp, UserContext, UserId};
use tributary_mesh::{CallError, Deadline};

use crate::degradation::{Degradation, Reason};

/// The services behind the gateway.
pub trait Upstreams: Send + Sync + 'static {
    /// The user's context; unknown users have an empty one.
    fn context(
        &self,
        user: UserId,
        deadline: Deadline,
    ) -> impl Future<Output = Result<UserContext, CallError>> + Send;

    /// Asks the channel at `channel` of the configured list.
    fn recall(
        &self,
        channel: usize,
        query: RecallQuery<'_>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<RecallAnswer, CallError>> + Send;

    fn rank(
        &self,
        query: RankQuery<'_>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<RankAnswer, CallError>> + Send;

    fn rerank(
        &self,
        query: RerankQuery,
        deadline: Deadline,
    ) -> impl Future<Output = Result<RerankAnswer, CallError>> + Send;

    /// Records all events or none; returns when they are durable.
    fn record(
        &self,
        events: Vec<ServedEvent>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Recorded, CallError>> + Send;
}

#[derive(Debug, Clone, Copy)]
pub struct RecallQuery<'a> {
    pub context: &'a UserContext,
    pub scene: &'a str,
    /// Items of the channel's list to leave out, its best first.
    pub offset: u32,
    pub limit: usize,
    /// Cold items are wanted as well.
    pub cold: Option<ColdQuery>,
}

/// Which items are cold, and how many of them are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColdQuery {
    pub limit: usize,
    /// Items that were shown this often are cold no more.
    pub until_impressions: u64,
    pub created_after: Timestamp,
}

/// A channel's list as it came: columns that may differ in length and hold anything.
#[derive(Debug, Clone, Default)]
pub struct RecallAnswer {
    pub item_ids: Vec<u64>,
    pub scores: Vec<f32>,
    /// Empty for a channel without a bundle.
    pub bundle_id: String,
    pub cached: bool,
    pub cold_ids: Vec<u64>,
    /// How often each of those was shown.
    pub cold_impressions: Vec<u64>,
}

#[derive(Debug, Clone)]
pub struct RankQuery<'a> {
    pub context: &'a UserContext,
    pub items: Vec<ItemId>,
    pub evidence: Vec<Evidence<'a>>,
    pub with_tasks: bool,
}

/// What one channel said of the candidates, in columns as long as the candidates; zeros where it
/// did not propose one.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    pub channel: &'a str,
    /// From 1.
    pub positions: Vec<u32>,
    pub scores: Vec<f32>,
}

#[derive(Debug, Clone, Default)]
pub struct RankAnswer {
    pub scores: Vec<f32>,
    /// By task, probabilities.
    pub tasks: Vec<(String, Vec<f32>)>,
    pub bundle_id: String,
}

#[derive(Debug, Clone)]
pub struct RerankQuery {
    pub items: Vec<ItemId>,
    pub scores: Vec<f32>,
    pub size: usize,
    pub theta: Option<f32>,
}

#[derive(Debug, Clone, Default)]
pub struct RerankAnswer {
    pub item_ids: Vec<u64>,
    /// One for each item.
    pub decisions: Vec<Decision>,
    pub bundle_id: String,
}

/// Why an item stands where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Score,
    Diversity,
    Cap,
    Fill,
    /// In a place that is reserved for new items; never rerank's decision.
    Exploration,
}

impl Decision {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Diversity => "diversity",
            Self::Cap => "cap",
            Self::Fill => "fill",
            Self::Exploration => crate::exploration::NAME,
        }
    }
}

/// How many events of a call were new and how many were known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recorded {
    pub recorded: u32,
    pub duplicates: u32,
}

/// A call's result and how long it took.
#[derive(Debug)]
pub struct Timed<T> {
    pub result: Result<T, Degradation>,
    pub took: Duration,
}

/// Runs a call until `deadline` at most: a stage goes on at its deadline whatever the call does.
pub async fn timed<T>(
    component: &str,
    deadline: Deadline,
    call: impl Future<Output = Result<T, CallError>>,
) -> Timed<T> {
    let start = Instant::now();
    let allowed = deadline.remaining();
    let result = match tokio::time::timeout(allowed, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => {
            let detail = format!("no answer in {} ms", allowed.as_millis());
            Err(Degradation::new(component, Reason::Timeout, detail))
        }
    };
    Timed { result, took: start.elapsed() }
}
