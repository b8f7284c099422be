//! The request path: context, recall, merge, filter, ranking, rerank.
//!
//! The pipeline does no I/O of its own: it works over the [`Upstreams`] port, a view of the
//! catalogue and the fallback list, and it always returns, in time, with what it has.

use std::{collections::BTreeMap, time::Instant};

use tributary_domain::UserContext;
use tributary_mesh::Deadline;

use crate::{
    catalogue::View,
    config::{Config, SceneConfig},
    context,
    degradation::{Degradation, Reason},
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
        if found.kept.is_empty() && self.may_fall_back(request, &found) {
            found = self.fall_back(&mut way, request, &context, found);
        }
        self.blame_unknown(&mut way, &found);
        let ranking = self.rank(&mut way, request, &context, &found).await;
        let slate = self.rerank(&mut way, request, &found, ranking.as_ref()).await;
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
        let answers = recall::fan_out(self.upstreams, channels, request, context, deadline).await;
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
        let (mut kept, removed) = filters::run(&scope);
        let cut = kept.split_off(kept.len().min(self.config.merge.limit.max(request.size)));
        way.stage("filter", pool.len(), kept.len(), start);
        Found { answers, pool, removed, kept, cut, fallback }
    }

    /// An id that the catalogue never held is rubbish of the channels that proposed it; one that an
    /// incomplete catalogue lacks is nobody's fault.
    fn blame_unknown(&self, way: &mut Way, found: &Found) {
        if !self.view.complete {
            return;
        }
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for one in found.removed.iter().filter(|one| one.filter == filters::UNKNOWN) {
            for finding in found.pool.findings(one.candidate) {
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

    /// Without ranking the merged order stands: there are no scores to weigh diversity against.
    async fn rerank(
        &self,
        way: &mut Way,
        request: &Request,
        found: &Found,
        ranking: Option<&Ranking>,
    ) -> Vec<Placed> {
        let Some(ranking) = ranking else {
            return rerank::by_order(0..found.kept.len(), request.size);
        };
        if request.skip_rerank {
            return rerank::by_order(ranking.order.iter().copied(), request.size);
        }
        let start = Instant::now();
        let query = rerank::Query {
            pool: &found.pool,
            candidates: &found.kept,
            ranking,
            size: request.size,
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
    fallback: bool,
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
