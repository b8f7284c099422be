//! What is noted of a request on its way through the stages.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tributary_domain::UserContext;
use tributary_mesh::Deadline;

use super::Found;
use crate::{
    budget::Budget,
    config::Config,
    degradation::{Degradation, note},
    outcome::{Outcome, StageReport},
    ranking::Ranking,
    rerank::Placed,
};

/// Time, reports and failures of one request.
pub(super) struct Way {
    begun: Instant,
    pub(super) budget: Budget,
    degraded: Vec<Degradation>,
    bundles: BTreeMap<String, String>,
    stages: Vec<StageReport>,
    /// The slowest chain of upstream calls so far.
    pub(super) upstream: Duration,
}

impl Way {
    pub(super) fn begin(config: &Config, deadline: Deadline) -> Self {
        Self {
            begun: Instant::now(),
            budget: Budget::new(deadline, config.deadline.reserve, config.stages()),
            degraded: Vec::new(),
            bundles: BTreeMap::new(),
            stages: Vec::with_capacity(7),
            upstream: Duration::ZERO,
        }
    }

    pub(super) fn note(&mut self, problem: Option<Degradation>) {
        if let Some(problem) = problem {
            note(&mut self.degraded, problem);
        }
    }

    pub(super) fn bundle(&mut self, component: &str, id: &str) {
        if !id.is_empty() {
            self.bundles.insert(component.to_owned(), id.to_owned());
        }
    }

    pub(super) fn stage(&mut self, stage: &'static str, from: usize, to: usize, start: Instant) {
        let took = start.elapsed();
        self.stages.push(StageReport { stage, candidates_in: from, candidates_out: to, took });
    }

    /// Forgets the reports of stages that are run again.
    pub(super) fn run_again(&mut self, stages: &[&str]) {
        self.stages.retain(|report| !stages.contains(&report.stage));
    }

    pub(super) fn finish(
        self,
        context: UserContext,
        found: Found,
        ranking: Option<Ranking>,
        slate: Vec<Placed>,
    ) -> Outcome {
        let Self { begun, budget: _, degraded, bundles, stages, upstream } = self;
        let Found { answers, pool, removed, kept, cut, reserved: _, fallback } = found;
        Outcome {
            context,
            answers,
            pool,
            removed,
            kept,
            cut,
            ranking,
            slate,
            degraded,
            bundles,
            stages,
            upstream,
            total: begun.elapsed(),
            fallback,
        }
    }
}
