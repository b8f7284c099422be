//! What the gateway says about how an answer came to be, for people.

use serde::Serialize;
use tributary_proto::gateway::v1::{
    Degradation, Explanation, ItemExplanation, degradation::Reason,
};

use crate::output::table;

/// Stages, channels and removed candidates.
#[derive(Debug, Serialize)]
pub(crate) struct ExplanationView {
    context_version: u64,
    stages: Vec<StageView>,
    channels: Vec<ChannelView>,
    removed: std::collections::BTreeMap<String, Vec<u64>>,
}

#[derive(Debug, Serialize)]
struct StageView {
    stage: String,
    candidates_in: u32,
    candidates_out: u32,
    duration_us: u64,
}

#[derive(Debug, Serialize)]
struct ChannelView {
    channel: String,
    candidates: u32,
    duration_us: u64,
    cached: bool,
    bundle_id: String,
}

impl From<Explanation> for ExplanationView {
    fn from(explanation: Explanation) -> Self {
        let stages = explanation.stages.into_iter().map(|stage| StageView {
            stage: stage.stage,
            candidates_in: stage.candidates_in,
            candidates_out: stage.candidates_out,
            duration_us: stage.duration_us,
        });
        let channels = explanation.channels.into_iter().map(|channel| ChannelView {
            channel: channel.channel,
            candidates: channel.candidates,
            duration_us: channel.duration_us,
            cached: channel.cached,
            bundle_id: channel.bundle_id,
        });
        let mut removed = std::collections::BTreeMap::<String, Vec<u64>>::new();
        for item in explanation.removed {
            removed.entry(item.filter).or_default().push(item.item_id);
        }
        Self {
            context_version: explanation.context_version,
            stages: stages.collect(),
            channels: channels.collect(),
            removed,
        }
    }
}

impl ExplanationView {
    pub(crate) fn text(&self) -> String {
        let mut stages = table(["stage", "in", "out", "time"]);
        for stage in &self.stages {
            stages.add_row([
                stage.stage.clone(),
                stage.candidates_in.to_string(),
                stage.candidates_out.to_string(),
                format!("{} µs", stage.duration_us),
            ]);
        }
        let mut channels = table(["channel", "candidates", "time", "cached"]);
        for channel in &self.channels {
            channels.add_row([
                channel.channel.clone(),
                channel.candidates.to_string(),
                format!("{} µs", channel.duration_us),
                if channel.cached { "yes" } else { "no" }.to_owned(),
            ]);
        }
        let mut text = format!("{stages}\n{channels}");
        for (filter, items) in &self.removed {
            text += &format!("\nremoved by {filter}: {}", items.len());
        }
        text
    }
}

/// What was left out, one sentence each.
pub(crate) fn degradations(degraded: &[Degradation]) -> Vec<String> {
    degraded
        .iter()
        .map(|part| format!("{} ({})", component_and_reason(part), part.detail))
        .collect()
}

/// For example "ranking timed out".
pub(crate) fn component_and_reason(part: &Degradation) -> String {
    let reason = match part.reason() {
        Reason::Unspecified => "left out",
        Reason::Timeout => "timed out",
        Reason::Unavailable => "unavailable",
        Reason::Overloaded => "overloaded",
        Reason::InvalidAnswer => "invalid answer",
        Reason::Error => "error",
        Reason::Fallback => "fallback",
    };
    format!("{} {reason}", part.component)
}

/// Why an item stands where it does, in one line.
pub(crate) fn sentence(explanation: &ItemExplanation) -> String {
    let channels: Vec<String> = explanation
        .channels
        .iter()
        .map(|found| format!("{} #{} ({:.3})", found.channel, found.position, found.score))
        .collect();
    let mut text = format!("{} → merged #{}", channels.join(", "), explanation.merge_position);
    if explanation.rank_position > 0 {
        text += &format!(" → ranked #{}", explanation.rank_position);
        let mut tasks: Vec<_> = explanation.task_scores.iter().collect();
        tasks.sort_by(|one, other| one.0.cmp(other.0));
        let tasks: Vec<String> =
            tasks.iter().map(|(task, score)| format!("{task} {score:.3}")).collect();
        if !tasks.is_empty() {
            text += &format!(" ({})", tasks.join(", "));
        }
    }
    if !explanation.rerank_decision.is_empty() {
        text += &format!(" → {}", explanation.rerank_decision);
    }
    text
}
