//! Second stage: every asked channel at once, each with its own deadline inside the request's.

use std::{collections::HashSet, time::Duration};

use futures::future::join_all;
use tributary_domain::{ItemId, Scored, UserContext};
use tributary_mesh::Deadline;

use crate::{
    config::{ChannelConfig, Config},
    degradation::{Degradation, Reason},
    request::{Asked, Request},
    upstreams::{ColdQuery, RecallAnswer, RecallQuery, Upstreams, timed},
};

pub mod fallback;
mod validation;

/// Most items that the contract lets a channel be asked for.
pub const MAXIMUM_LIMIT: usize = 2_000;
/// Most items that the contract lets a channel leave out before those.
const MAXIMUM_OFFSET: u32 = 10_000;

/// What one channel contributed.
#[derive(Debug)]
pub struct ChannelAnswer {
    /// Its place in the configuration.
    pub channel: usize,
    pub weight: u32,
    /// Usable candidates, the channel's best first.
    pub items: Vec<Scored>,
    /// Cold items, in the channel's order.
    pub cold: Vec<ColdItem>,
    pub cached: bool,
    pub bundle_id: String,
    pub took: Duration,
    pub problem: Option<Degradation>,
    /// It gave as many as it was asked for, so that it may have more.
    pub full: bool,
    /// How many of the channel's best were left out before the items.
    pub offset: u32,
}

/// A cold item, and how often it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColdItem {
    pub item: ItemId,
    pub impressions: u64,
}

impl ChannelAnswer {
    /// The gateway's last good list in the place of an answer of `channel`.
    pub fn remembered(channel: usize, list: &[Scored]) -> Self {
        Self {
            channel,
            weight: 1,
            items: list.to_vec(),
            cold: Vec::new(),
            cached: false,
            bundle_id: String::new(),
            took: Duration::ZERO,
            problem: None,
            full: false,
            offset: 0,
        }
    }

    /// Adds the items of `list` that the answer lacks.
    pub fn append(&mut self, list: &[Scored]) {
        let known: HashSet<ItemId> = self.items.iter().map(|scored| scored.item).collect();
        self.items.extend(list.iter().filter(|scored| !known.contains(&scored.item)));
    }

    /// True where the channel answered, be it in part.
    pub fn answered(&self) -> bool {
        !matches!(&self.problem, Some(problem) if problem.reason != Reason::InvalidAnswer)
    }

    /// The item's place in the list, from 0.
    pub fn place(&self, item: ItemId) -> Option<usize> {
        self.items.iter().position(|scored| scored.item == item)
    }
}

/// The component that a channel is named as in `degraded`.
pub fn component(channel: &ChannelConfig) -> String {
    format!("recall-{}", channel.name)
}

/// Asks the channels of the request. Answers come in the order of the request, whoever was first.
pub async fn fan_out(
    upstreams: &impl Upstreams,
    config: &Config,
    request: &Request,
    context: &UserContext,
    deadline: Deadline,
) -> Vec<ChannelAnswer> {
    let calls = request.asked.iter().map(|asked| {
        let channel = &config.channel[asked.channel];
        let Depth { offset, limit } = depth(channel, request);
        let cold = cold_query(request, asked.channel);
        let query = RecallQuery { context, scene: &request.scene, offset, limit, cold };
        ask(upstreams, channel, *asked, query, deadline.capped(channel.deadline))
    });
    join_all(calls).await
}

/// One channel knows the cold items.
fn cold_query(request: &Request, channel: usize) -> Option<ColdQuery> {
    request.exploration.as_ref().filter(|plan| plan.channel == channel).map(|plan| plan.query)
}

/// The part of a channel's list that is asked for.
#[derive(Debug, PartialEq)]
struct Depth {
    offset: u32,
    limit: usize,
}

/// Deep enough for a page behind those served, even where the channel proposes all of them again.
/// Where one answer cannot hold that much its head is left out: most of it was served.
fn depth(channel: &ChannelConfig, request: &Request) -> Depth {
    let end = channel.limit.max(request.size) + request.served.len();
    let beyond = u32::try_from(end.saturating_sub(MAXIMUM_LIMIT)).unwrap_or(u32::MAX);
    Depth { offset: beyond.min(MAXIMUM_OFFSET), limit: end.min(MAXIMUM_LIMIT) }
}

async fn ask(
    upstreams: &impl Upstreams,
    channel: &ChannelConfig,
    asked: Asked,
    query: RecallQuery<'_>,
    deadline: Deadline,
) -> ChannelAnswer {
    let component = component(channel);
    let call = timed(&component, deadline, upstreams.recall(asked.channel, query, deadline)).await;
    let mut answer = ChannelAnswer {
        channel: asked.channel,
        weight: asked.weight,
        items: Vec::new(),
        cold: Vec::new(),
        cached: false,
        bundle_id: String::new(),
        took: call.took,
        problem: None,
        full: false,
        offset: query.offset,
    };
    match call.result {
        Ok(columns) => accept(&mut answer, columns, &component, &query),
        Err(problem) => answer.problem = Some(problem),
    }
    answer
}

fn accept(
    answer: &mut ChannelAnswer,
    columns: RecallAnswer,
    component: &str,
    query: &RecallQuery<'_>,
) {
    let limit = query.limit;
    answer.full = columns.item_ids.len() >= limit;
    answer.cached = columns.cached;
    let checked = validation::check(&columns.item_ids, &columns.scores, limit);
    answer.bundle_id = columns.bundle_id;
    answer.items = checked.items;
    let cold_limit = query.cold.map_or(0, |cold| cold.limit);
    let cold = validation::check_cold(&columns.cold_ids, &columns.cold_impressions, cold_limit);
    answer.cold = cold.items;
    let flaws: Vec<String> = checked.flaws.into_iter().chain(cold.flaws).collect();
    answer.problem = (!flaws.is_empty())
        .then(|| Degradation::new(component, Reason::InvalidAnswer, flaws.join(", ")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes;

    #[test]
    fn channels_are_asked_deeper_on_later_pages() {
        let channel = fakes::channel("trending");
        let mut request = fakes::request(20);
        for (size, served, offset, limit) in [
            (20, 0, 0, 200),
            (500, 0, 0, 500),
            (20, 60, 0, 260),
            (500, 400, 0, 900),
            (20, 1_800, 0, 2_000),
            (20, 1_801, 1, 2_000),
            (500, 5_000, 3_500, 2_000),
            (20, 50_000, 10_000, 2_000),
        ] {
            request.size = size;
            request.served = (1..=served).map(ItemId).collect();
            assert_eq!(depth(&channel, &request), Depth { offset, limit }, "{size} {served}");
        }
    }
}
