//! The request path: context, recall, merge, filter, ranking, rerank.
//!
//! The pipeline does no I/O of its own: it works over the [`Upstreams`] port, a view of the
//! catalogue and the fallback list, and it always returns, in time, with what it has.

use std::{collections::BTreeMap, time::Instant};

use tributary_domain::UserContext;
use tributary_mesh::Deadline;
use tributary_slate::merge::Finding;

use crate::{
    catalogue::View,
    config::{Config, SceneConfig},
    context,
    degradation::{Degradation, Reason},
    exploration::{self, Taste},
    filters::{self, Facts, Removed, Scope},
    merge::{Pool, Quotas},
    outcome::Outcome,
    ranking::{self, Names, Ranking},
    recall::{self, ChannelAnswer, fallback::Fallback},
    request::Request,
    rerank::{self, Placed},
    upstreams::Upstreams,
};

mod way;

use way::Way;

/// Most candidates that the contract lets ranking be asked for.
const MAXIMUM_RANKED: usize = 2_000;

/// What a request works with.
pub struct Pipeline<'a, U> {
    pub upstreams: &'a U,
    pub config: &'a Config,
    pub view: &'a View,
    pub fallback: &'a Fallback,
}

impl<U: Upstreams> Pipeline<'_, U> {
    /// Runs a request through all stages. Never fails and answers before `deadline`: what did not
    /// contribute is named in `degraded`.
    pub async fn run(&self, request: &Request, deadline: Deadline) -> Outcome {
        let mut way = Way::begin(self.config, deadline);
        let context = self.context(&mut way, request).await;
        let answers = self.recall(&mut way, request, &context).await;
        let proposals = Proposals { answers, fallback: false };
        let mut found = self.select(&mut way, request, &context, proposals);
        if found.is_empty() && self.may_fall_back(request, &found) {
            found = self.fall_back(&mut way, request, &context, found);
        }
        self.blame_unknown(&mut way, &found);
        let ranking = self.rank(&mut way, request, &context, &found).await;
        let slate = self.slate(&mut way, request, &found, ranking.as_ref()).await;
        way.finish(context, found, ranking, slate)
    }

    async fn context(&self, way: &mut Way, request: &Request) -> UserContext {
        let start = Instant::now();
        let deadline = way.budget.stage(self.config.deadline.context);
        let fetched = context::fetch(self.upstreams, request.user, deadline).await;
        way.upstream += fetched.took;
        way.note(fetched.problem);
        way.stage("context", 0, 0, start);
        fetched.context
    }

    async fn recall(
        &self,
        way: &mut Way,
        request: &Request,
        context: &UserContext,
    ) -> Vec<ChannelAnswer> {
        let start = Instant::now();
        let deadline = way.budget.stage(self.config.slowest_channel());
        let channels = &self.config.channel;
        let answers =
            recall::fan_out(self.upstreams, self.config, request, context, deadline).await;
        way.upstream += answers.iter().map(|answer| answer.took).max().unwrap_or_default();
        for answer in &answers {
            let channel = &channels[answer.channel];
            way.note(answer.problem.clone());
            way.bundle(&recall::component(channel), &answer.bundle_id);
            if self.config.is_fallback(channel) {
                self.fallback.learn(answer, context);
            }
        }
        way.stage("recall", 0, proposed(&answers), start);
        answers
    }

    /// Merges, filters and bounds the candidates.
    fn select(
        &self,
        way: &mut Way,
        request: &Request,
        context: &UserContext,
        proposals: Proposals,
    ) -> Found {
        let Proposals { answers, fallback } = proposals;
        let start = Instant::now();
        let channels = &self.config.channel;
        let quotas = Quotas { channels, context, served: &request.served };
        let pool = Pool::merge(&answers, (!fallback).then_some(&quotas), self.view);
        way.stage("merge", proposed(&answers), pool.len(), start);

        let start = Instant::now();
        let scope = Scope::new(Facts {
            pool: &pool,
            view: self.view,
            channels,
            context,
            served: &request.served,
            rules: self.scene(request),
            unknown_age: self.config.unknown_age,
        });
        let (passed, removed) = filters::run(&scope);
        let explored = self.explored(request, context, &pool, &passed);
        let (kept, cut) = self.bound(request, &pool, passed, &explored);
        way.stage("filter", pool.len(), kept.len(), start);
        let row = |candidate: &usize| kept.binary_search(candidate);
        let reserved = explored.iter().filter_map(|candidate| row(candidate).ok()).collect();
        Found { answers, pool, removed, kept, cut, reserved, fallback }
    }

    /// The candidates for the page's reserved places, in the order of the places.
    fn explored(
        &self,
        request: &Request,
        context: &UserContext,
        pool: &Pool,
        passed: &[usize],
    ) -> Vec<usize> {
        let Some(plan) = &request.exploration else { return Vec::new() };
        exploration::choose(pool, passed, &Taste::of(context, self.view), plan.places.len())
    }

    /// What goes to ranking, and what the bound leaves out; both in merged order. A cold item that no
    /// channel found goes there for a reserved place only.
    fn bound(
        &self,
        request: &Request,
        pool: &Pool,
        passed: Vec<usize>,
        explored: &[usize],
    ) -> (Vec<usize>, Vec<usize>) {
        let bound = self.config.merge.limit.max(request.size);
        let mut open = bound.min(MAXIMUM_RANKED - explored.len());
        passed.into_iter().partition(|candidate| {
            if explored.contains(candidate) {
                return true;
            }
            let goes = open > 0 && !pool.findings(*candidate).is_empty();
            open -= usize::from(goes);
            goes
        })
    }

    /// An id that the catalogue never held is rubbish of the channels that proposed it; one that an
    /// incomplete catalogue lacks is nobody's fault, nor is one of a channel that follows the item
    /// log: it may have heard of the item a moment before.
    fn blame_unknown(&self, way: &mut Way, found: &Found) {
        if !self.view.complete {
            return;
        }
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for one in found.removed.iter().filter(|one| one.filter == filters::UNKNOWN) {
            let findings = found.pool.findings(one.candidate).iter();
            let stale = |finding: &&Finding| !self.config.channel[finding.channel].fresh;
            for finding in findings.filter(stale) {
                *counts.entry(finding.channel).or_default() += 1;
            }
        }
        for (channel, count) in counts {
            let component = recall::component(&self.config.channel[channel]);
            let detail = format!("{count} unknown items");
            way.note(Some(Degradation::new(&component, Reason::InvalidAnswer, detail)));
        }
    }

    /// A first page is never left empty. A later one may be the end of the list, unless a channel
    /// is missing.
    fn may_fall_back(&self, request: &Request, found: &Found) -> bool {
        request.served.is_empty() || !found.answers.iter().all(ChannelAnswer::answered)
    }

    /// Selects again, with the last good trending list behind what the channels answered.
    fn fall_back(
        &self,
        way: &mut Way,
        request: &Request,
        context: &UserContext,
        found: Found,
    ) -> Found {
        let list = self.fallback.list();
        let Some(channel) = self.config.fallback_channel().filter(|_| !list.is_empty()) else {
            return found;
        };
        let mut answers = found.answers;
        match answers.iter_mut().find(|answer| answer.channel == channel) {
            Some(answer) => answer.append(&list),
            None => answers.push(ChannelAnswer::remembered(channel, &list)),
        }
        let detail = "the last good trending list is served";
        way.note(Some(Degradation::new("recall", Reason::Fallback, detail)));
        way.run_again(&["merge", "filter"]);
        self.select(way, request, context, Proposals { answers, fallback: true })
    }

    async fn rank(
        &self,
        way: &mut Way,
        request: &Request,
        context: &UserContext,
        found: &Found,
    ) -> Option<Ranking> {
        let deadline = way.budget.stage(self.config.deadline.ranking);
        if request.skip_ranking || found.kept.is_empty() {
            return None;
        }
        let start = Instant::now();
        let query = ranking::Query {
            context,
            pool: &found.pool,
            candidates: &found.kept,
            channels: Names { all: &self.config.channel },
            with_tasks: request.explain,
        };
        let ranked = ranking::rank(self.upstreams, query, deadline).await;
        way.upstream += ranked.took;
        way.note(ranked.problem);
        if let Some(ranking) = &ranked.ranking {
            way.bundle(ranking::COMPONENT, &ranking.bundle_id);
        }
        way.stage("ranking", found.kept.len(), found.kept.len(), start);
        ranked.ranking
    }

    /// The final list: the diverse order of what was ranked, and the new items in the places that
    /// are reserved for them. The caps of rerank hold among the rest of the list.
    async fn slate(
        &self,
        way: &mut Way,
        request: &Request,
        found: &Found,
        ranking: Option<&Ranking>,
    ) -> Vec<Placed> {
        let mut slate = self.rerank(way, request, found, ranking).await;
        if let Some(plan) = &request.exploration {
            exploration::put(&mut slate, &found.reserved, &plan.places);
        }
        slate
    }

    /// The places that are not reserved. Without ranking the merged order stands: there are no scores
    /// to weigh diversity against.
    async fn rerank(
        &self,
        way: &mut Way,
        request: &Request,
        found: &Found,
        ranking: Option<&Ranking>,
    ) -> Vec<Placed> {
        let size = request.size - found.reserved.len();
        let is_open = |row: &usize| !found.reserved.contains(row);
        let Some(ranking) = ranking else {
            return rerank::by_order((0..found.kept.len()).filter(is_open), size);
        };
        if request.skip_rerank || size == 0 {
            return rerank::by_order(ranking.order.iter().copied().filter(is_open), size);
        }
        let start = Instant::now();
        let query = rerank::Query {
            pool: &found.pool,
            candidates: &found.kept,
            ranking,
            size,
            reserved: &found.reserved,
            theta: request.theta.or(self.scene(request).theta).or(self.config.slate.theta),
            considered: self.config.slate.candidates,
        };
        let deadline = way.budget.stage(self.config.deadline.rerank);
        let reranked = rerank::rerank(self.upstreams, query, deadline).await;
        way.upstream += reranked.took;
        way.note(reranked.problem);
        way.bundle(rerank::COMPONENT, &reranked.bundle_id);
        way.stage("rerank", found.kept.len(), reranked.slate.len(), start);
        reranked.slate
    }

    fn scene(&self, request: &Request) -> &SceneConfig {
        self.config.scene(&request.scene)
    }
}

fn proposed(answers: &[ChannelAnswer]) -> usize {
    answers.iter().map(|answer| answer.items.len()).sum()
}

/// What is merged.
struct Proposals {
    answers: Vec<ChannelAnswer>,
    /// The last good trending list is among them; it is all there is, so that no quota cuts it.
    fallback: bool,
}

/// The candidates of a request.
struct Found {
    answers: Vec<ChannelAnswer>,
    pool: Pool,
    removed: Vec<Removed>,
    kept: Vec<usize>,
    cut: Vec<usize>,
    /// The rows of `kept` for the reserved places, in their order.
    reserved: Vec<usize>,
    fallback: bool,
}

impl Found {
    /// True where there is nothing for the places that are not reserved.
    fn is_empty(&self) -> bool {
        self.kept.len() == self.reserved.len()
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
