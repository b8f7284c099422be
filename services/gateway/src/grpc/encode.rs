//! Outcomes to messages.

use tributary_domain::ItemId;
use tributary_proto::gateway::v1 as wire;
use wire::{degradation::Reason as WireReason, item_verdict::Verdict as WireVerdict};

use crate::{
    catalogue::View,
    config::Config,
    degradation::{Degradation, Reason},
    explain::{self, Verdict},
    exploration,
    outcome::{Outcome, StageReport},
    recall::ChannelAnswer,
    request::Request,
    rerank::Placed,
};

pub(super) fn items(
    outcome: &Outcome,
    config: &Config,
    view: &View,
    request: &Request,
) -> Vec<wire::RecommendedItem> {
    let first = request.served.len() + 1;
    let item = |(place, placed): (usize, &Placed)| {
        let candidate = outcome.candidate(*placed);
        let id = outcome.pool.id(candidate);
        wire::RecommendedItem {
            item_id: id.0,
            position: count(first + place),
            score: outcome.score(*placed),
            channels: channels(outcome, config, *placed),
            title: view.get(id).map(|item| item.title.clone()).unwrap_or_default(),
            explanation: request.explain.then(|| item_explanation(outcome, config, candidate)),
        }
    };
    outcome.slate.iter().enumerate().map(item).collect()
}

fn channels(outcome: &Outcome, config: &Config, placed: Placed) -> Vec<String> {
    let findings = outcome.pool.findings(outcome.candidate(placed)).iter();
    let names = findings.map(|finding| config.channel[finding.channel].name.clone());
    let explored = placed.is_explored().then(|| exploration::NAME.to_owned());
    names.chain(explored).collect()
}

pub(super) fn explanation(outcome: &Outcome, config: &Config) -> wire::Explanation {
    let removed = outcome.removed.iter().map(|removed| wire::RemovedItem {
        item_id: outcome.pool.id(removed.candidate).0,
        filter: removed.filter.to_owned(),
    });
    wire::Explanation {
        stages: outcome.stages.iter().map(stage).collect(),
        removed: removed.collect(),
        channels: outcome.answers.iter().map(|answer| channel(answer, config)).collect(),
        context_version: outcome.context.version,
    }
}

fn stage(report: &StageReport) -> wire::StageReport {
    let StageReport { stage, candidates_in, candidates_out, took } = *report;
    wire::StageReport {
        stage: stage.to_owned(),
        candidates_in: count(candidates_in),
        candidates_out: count(candidates_out),
        duration_us: micros(took),
    }
}

fn channel(answer: &ChannelAnswer, config: &Config) -> wire::ChannelReport {
    wire::ChannelReport {
        channel: config.channel[answer.channel].name.clone(),
        candidates: count(answer.items.len()),
        duration_us: micros(answer.took),
        cached: answer.cached,
        bundle_id: answer.bundle_id.clone(),
    }
}

fn item_explanation(outcome: &Outcome, config: &Config, candidate: usize) -> wire::ItemExplanation {
    let findings = outcome.pool.findings(candidate).iter();
    let mut explanation = wire::ItemExplanation {
        channels: findings
            .map(|finding| wire::ChannelFinding {
                channel: config.channel[finding.channel].name.clone(),
                position: finding.position,
                score: finding.score,
            })
            .collect(),
        merge_position: count(candidate + 1),
        ..Default::default()
    };
    // What was kept stands in merged order.
    if let Ok(row) = outcome.kept.binary_search(&candidate) {
        explain_row(outcome, row, &mut explanation);
    }
    explanation
}

fn explain_row(outcome: &Outcome, row: usize, explanation: &mut wire::ItemExplanation) {
    if let Some(ranking) = &outcome.ranking {
        let place = ranking.order.iter().position(|other| *other == row);
        explanation.rank_position = place.map_or(0, |place| count(place + 1));
        explanation.rank_score = Some(ranking.scores[row]);
        let tasks = ranking.tasks.iter();
        explanation.task_scores = tasks.map(|(task, scores)| (task.clone(), scores[row])).collect();
    }
    let placed = outcome.slate.iter().find(|placed| placed.row == row);
    let decision = placed.and_then(|placed| placed.decision);
    explanation.rerank_decision = decision.map_or("", |decision| decision.as_str()).to_owned();
}

pub(super) fn verdicts(
    outcome: &Outcome,
    config: &Config,
    items: &[ItemId],
) -> Vec<wire::ItemVerdict> {
    items.iter().map(|item| verdict(outcome, config, *item)).collect()
}

fn verdict(outcome: &Outcome, config: &Config, item: ItemId) -> wire::ItemVerdict {
    let (verdict, candidate) = explain::verdict(outcome, item);
    let (kind, filter, position) = match verdict {
        Verdict::Listed(place) => (WireVerdict::Listed, "", count(place + 1)),
        Verdict::NotRecalled => (WireVerdict::NotRecalled, "", 0),
        Verdict::Filtered(filter) => (WireVerdict::Filtered, filter, 0),
        Verdict::Outranked => (WireVerdict::Outranked, "", 0),
        Verdict::Cut => (WireVerdict::Cut, "", 0),
    };
    wire::ItemVerdict {
        item_id: item.0,
        verdict: kind.into(),
        filter: filter.to_owned(),
        explanation: candidate.map(|candidate| item_explanation(outcome, config, candidate)),
        position,
    }
}

pub(super) fn degradation(degradation: Degradation) -> wire::Degradation {
    let Degradation { component, reason, detail } = degradation;
    let reason = match reason {
        Reason::Timeout => WireReason::Timeout,
        Reason::Unavailable => WireReason::Unavailable,
        Reason::Overloaded => WireReason::Overloaded,
        Reason::InvalidAnswer => WireReason::InvalidAnswer,
        Reason::Error => WireReason::Error,
        Reason::Fallback => WireReason::Fallback,
    };
    wire::Degradation { component, reason: reason.into(), detail }
}

/// Counts are bounded by the limits of the contract, far below 32 bits.
fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
