//! How each item of an answer came to be shown: kept with its impression, so that a training sees
//! what serving saw.

use tributary_domain::{BundleId, ChannelName, ItemId, Served, ServedChannel};

use crate::{config::Config, outcome::Outcome, request::Request};

/// The answer's items in order, each with its context.
pub fn contexts(
    outcome: &Outcome,
    config: &Config,
    request: &Request,
    request_id: &str,
) -> Vec<(ItemId, Served)> {
    let ranking = outcome.ranking.as_ref();
    let bundle = ranking.map(|ranking| &ranking.bundle_id).filter(|bundle| !bundle.is_empty());
    let ranking_bundle = bundle.map(|bundle| BundleId::from(bundle.clone()));
    let first = request.served.len() + 1;
    let context = |(place, placed)| {
        let candidate = outcome.candidate(placed);
        let served = Served {
            request_id: request_id.to_owned(),
            scene: request.scene.clone(),
            position: narrowed(first + place),
            score: ranking.map_or(0.0, |_| outcome.score(placed)),
            ranking_bundle: ranking_bundle.clone(),
            context_version: outcome.context.version,
            channels: channels(outcome, config, candidate),
            exploration: placed.is_explored(),
        };
        (outcome.pool.id(candidate), served)
    };
    outcome.slate.iter().copied().enumerate().map(context).collect()
}

fn channels(outcome: &Outcome, config: &Config, candidate: usize) -> Vec<ServedChannel> {
    let findings = outcome.pool.findings(candidate).iter();
    findings
        .map(|finding| ServedChannel {
            channel: ChannelName::from(config.channel[finding.channel].name.clone()),
            position: finding.position,
            score: finding.score,
        })
        .collect()
}

/// Places are bounded by what a token remembers, far below 32 bits.
fn narrowed(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
