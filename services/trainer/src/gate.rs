//! The gate: whether a trained system may be published.
//!
//! Bounds that hold for every run come first; once there are enough accepted runs of the same data
//! set and protocol, the candidate must also look like them. Both sides count: a figure far better
//! than all before is more often a leak from the future than a discovery.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tributary_bundle::Judgement;

use crate::statistics::{mean, quantile, standard_deviation};

pub mod passage;
pub(crate) mod record;

/// Results of an evaluation by name.
pub type Metrics = BTreeMap<String, f64>;

/// What a candidate must keep to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateConfig {
    /// The AUC of each ranker task is at least this.
    pub least_auc: f64,
    /// The AUC of each ranker task is above that of the candidates' popularity by at least this: a
    /// model that has learned nothing of its users may still know what is popular.
    pub least_auc_gain: f64,
    /// Predicted over observed of each ranker task is at least this …
    pub least_pcoc: f64,
    /// … and at most this. The defaults leave out what is off by a fifth, up or down, from
    /// anywhere in 0.95 to 1.05.
    pub most_pcoc: f64,
    /// The list that the final one must not fall behind.
    pub baseline: String,
    /// The final list's NDCG@10 is at least this share of the baseline's.
    pub baseline_share: f64,
    pub recent: RecentConfig,
    pub loss: LossConfig,
}

/// AUC, PCOC and log loss inside mean − `sigmas_below` σ to mean + `sigmas_above` σ of the last
/// accepted runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecentConfig {
    /// How many runs are looked at.
    pub runs: usize,
    /// With fewer than this the rule does not count.
    pub least_runs: usize,
    pub sigmas_below: f64,
    pub sigmas_above: f64,
    /// σ is taken to be at least this share of the mean, so that runs that hardly differ do not
    /// block the next one for noise.
    pub least_sigma: f64,
}

/// Log loss between what nearly all of the last accepted runs exceeded (below it a model has
/// learned its data by heart) and a little more than their worst (above it, it has not learned).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// How many runs are looked at.
    pub runs: usize,
    /// With fewer than this the rule does not count.
    pub least_runs: usize,
    /// The lower bound is the loss that this share of the runs exceeded …
    pub quantile: f64,
    /// … times this: without it, one run in ten would be blocked for being the best.
    pub quantile_factor: f64,
    /// The upper bound is the largest loss times this.
    pub maximum_factor: f64,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self {
            least_auc: 0.55,
            least_auc_gain: 0.02,
            least_pcoc: 0.85,
            most_pcoc: 1.15,
            baseline: "popularity".into(),
            baseline_share: 1.0,
            recent: RecentConfig::default(),
            loss: LossConfig::default(),
        }
    }
}

impl Default for RecentConfig {
    fn default() -> Self {
        Self { runs: 14, least_runs: 5, sigmas_below: 3.0, sigmas_above: 3.0, least_sigma: 0.02 }
    }
}

impl Default for LossConfig {
    fn default() -> Self {
        Self { runs: 30, least_runs: 5, quantile: 0.9, quantile_factor: 0.95, maximum_factor: 1.1 }
    }
}

/// Judges `candidate` against bounds and against `history`, the metrics of accepted runs of the
/// same data set and protocol, oldest first. Every broken rule is a reason.
pub fn judge(candidate: &Metrics, history: &[&Metrics], config: &GateConfig) -> Judgement {
    let mut court = Court { candidate, history, reasons: Vec::new() };
    court.list(config);
    let tasks = tasks(candidate);
    if tasks.is_empty() {
        court.reasons.push("ranker: no task has both clicks and misses to measure".into());
    }
    for task in tasks {
        court.task(&task, config);
    }
    Judgement::from_reasons(court.reasons)
}

/// Names of what the gate looks at among `candidate`'s metrics.
pub(crate) fn looked_at(candidate: &Metrics, config: &GateConfig) -> Vec<String> {
    let of_task = |task: String| OF_TASK.map(|metric| format!("ranker.{task}.{metric}"));
    let lists = [FINAL.to_owned(), baseline(config)];
    tasks(candidate).into_iter().flat_map(of_task).chain(lists).collect()
}

const FINAL: &str = "final.ndcg_at_10";
const CONFIGURED: &str = "the configured bounds";
/// What the gate looks at of each ranker task.
const OF_TASK: [&str; 5] = ["auc", "popularity_auc", "pcoc", "log_loss", "positives"];

fn baseline(config: &GateConfig) -> String {
    format!("{}.ndcg_at_10", config.baseline)
}

/// The ranker's tasks, without those of which nothing came about in the test period: data without
/// likes has no AUC of likes.
fn tasks(metrics: &Metrics) -> Vec<String> {
    let mut tasks: Vec<String> = metrics
        .keys()
        .filter_map(|name| name.strip_prefix("ranker.")?.split('.').next())
        .filter(|task| metrics.get(&format!("ranker.{task}.positives")) != Some(&0.0))
        .map(str::to_owned)
        .collect();
    tasks.dedup();
    tasks
}

struct Court<'a> {
    candidate: &'a Metrics,
    history: &'a [&'a Metrics],
    reasons: Vec<String>,
}

impl Court<'_> {
    /// A metric that must be there.
    fn get(&mut self, name: &str) -> Option<f64> {
        let value = self.candidate.get(name).copied().filter(|value| value.is_finite());
        if value.is_none() {
            self.reasons.push(format!("{name} is missing or not a finite number"));
        }
        value
    }

    fn list(&mut self, config: &GateConfig) {
        let baseline = baseline(config);
        let (Some(found), Some(known)) = (self.get(FINAL), self.get(&baseline)) else { return };
        let of = format!("{} times {baseline}", config.baseline_share);
        self.at_least(FINAL, found, config.baseline_share * known, &of);
    }

    fn task(&mut self, task: &str, config: &GateConfig) {
        let name = |metric: &str| format!("ranker.{task}.{metric}");
        let (auc, popular) = (name("auc"), name("popularity_auc"));
        if let Some(value) = self.get(&auc) {
            self.compare(&auc, value, [config.least_auc, 1.0], CONFIGURED);
            self.recent(&auc, value, &config.recent);
            if let Some(known) = self.get(&popular) {
                let least = known + config.least_auc_gain;
                self.at_least(
                    &auc,
                    value,
                    least,
                    &format!("{popular} + {}", config.least_auc_gain),
                );
            }
        }
        let pcoc = name("pcoc");
        if let Some(value) = self.get(&pcoc) {
            self.compare(&pcoc, value, [config.least_pcoc, config.most_pcoc], CONFIGURED);
            self.recent(&pcoc, value, &config.recent);
        }
        let loss = name("log_loss");
        if let Some(value) = self.get(&loss) {
            self.recent(&loss, value, &config.recent);
            self.loss(&loss, value, &config.loss);
        }
    }

    fn at_least(&mut self, name: &str, value: f64, least: f64, of: &str) {
        if value < least {
            self.reasons.push(format!("{name} is {value:.4}, below {least:.4}: {of}"));
        }
    }

    fn compare(&mut self, name: &str, value: f64, [least, most]: [f64; 2], of: &str) {
        if value < least || value > most {
            self.reasons
                .push(format!("{name} is {value:.4}, outside {least:.4} to {most:.4}: {of}"));
        }
    }

    /// What the last `runs` accepted runs had, where at least `least` have it.
    fn past(&self, name: &str, runs: usize, least: usize) -> Option<Vec<f64>> {
        let finite = |metrics: &&Metrics| metrics.get(name).copied().filter(|it| it.is_finite());
        let mut past: Vec<f64> = self.history.iter().rev().filter_map(finite).take(runs).collect();
        past.reverse();
        (past.len() >= least.max(2)).then_some(past)
    }

    fn recent(&mut self, name: &str, value: f64, config: &RecentConfig) {
        let Some(past) = self.past(name, config.runs, config.least_runs) else { return };
        let mean = mean(&past);
        let sigma = standard_deviation(&past).max(config.least_sigma * mean.abs());
        let bounds = [mean - config.sigmas_below * sigma, mean + config.sigmas_above * sigma];
        let of = format!(
            "mean − {} σ to mean + {} σ of the last {} runs",
            config.sigmas_below,
            config.sigmas_above,
            past.len()
        );
        self.compare(name, value, bounds, &of);
    }

    fn loss(&mut self, name: &str, value: f64, config: &LossConfig) {
        let Some(past) = self.past(name, config.runs, config.least_runs) else { return };
        let exceeded = quantile(&past, 1.0 - config.quantile);
        let most = past.iter().copied().fold(f64::MIN, f64::max);
        let bounds = [config.quantile_factor * exceeded, config.maximum_factor * most];
        let of = format!(
            "{} times what {} of the last {} runs exceeded, to {} times their largest",
            config.quantile_factor,
            config.quantile,
            past.len(),
            config.maximum_factor
        );
        self.compare(name, value, bounds, &of);
    }
}

#[cfg(test)]
mod tests;
