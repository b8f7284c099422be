//! Messages to checked requests. Every refusal names its field.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use tributary_domain::{Event, FieldError, ItemId, Timestamp, UserId, at, prefixed};
use tributary_proto::gateway::v1 as wire;

use crate::{
    config::{ChannelConfig, Config},
    exploration::{self, Plan},
    page_token::Tokens,
    request::{Asked, Request},
};

const MAXIMUM_SIZE: u32 = 500;
const MAXIMUM_SCENE_BYTES: usize = 100;
const MAXIMUM_DEADLINE_MS: u32 = 10_000;
const MAXIMUM_EVENTS: usize = 1_000;
const MAXIMUM_EXPLAINED: usize = 100;
const MAXIMUM_WEIGHT: u32 = 100;
const DEFAULT_SCENE: &str = "home";

/// The request, and its own deadline where it names one.
pub(super) fn recommend(
    message: wire::RecommendRequest,
    config: &Config,
    tokens: &Tokens,
    now: Timestamp,
) -> Result<(Request, Option<Duration>), FieldError> {
    let wire::RecommendRequest {
        user_id,
        scene: name,
        size,
        page_token,
        overrides,
        explain,
        deadline_ms,
    } = message;
    let parts = Parts { user_id, scene: name, size: check_size(size)?, overrides, explain };
    let mut request = assemble(parts, &config.channel)?;
    let deadline = check_deadline(deadline_ms)?;
    if !page_token.is_empty() {
        request.served = tokens
            .open(&page_token, request.user, &request.scene, now)
            .map_err(|error| FieldError::new("page_token", error))?;
    }
    explore(&mut request, config, now);
    Ok((request, deadline))
}

/// The request whose way is explained, and the items asked after.
pub(super) fn explain(
    message: wire::ExplainRequest,
    config: &Config,
    now: Timestamp,
) -> Result<(Request, Vec<ItemId>), FieldError> {
    let wire::ExplainRequest { user_id, item_ids, scene: name, size, overrides } = message;
    check_count("item_ids", item_ids.len(), MAXIMUM_EXPLAINED)?;
    let name_of = |index: usize| format!("item_ids[{index}]");
    let items = item_ids.into_iter().enumerate();
    let items = items.map(|(index, id)| ItemId::from_wire(id, &name_of(index)));
    let items = items.collect::<Result<Vec<_>, _>>()?;
    let size = check_size(size)?;
    let parts = Parts { user_id, scene: name, size, overrides, explain: true };
    let mut request = assemble(parts, &config.channel)?;
    explore(&mut request, config, now);
    Ok((request, items))
}

/// Plans the reserved places of the request's page.
fn explore(request: &mut Request, config: &Config, now: Timestamp) {
    let Request { asked, size, served, .. } = &*request;
    let page = exploration::Page { asked, size: *size, served: served.len(), now };
    request.exploration = Plan::of(config, &page);
}

pub(super) fn events(message: wire::RecordEventsRequest) -> Result<Vec<Event>, FieldError> {
    let wire::RecordEventsRequest { events } = message;
    check_count("events", events.len(), MAXIMUM_EVENTS)?;
    let events = events.into_iter().enumerate();
    events.map(|(index, event)| Event::try_from(event).map_err(at("events", index))).collect()
}

/// What both requests have.
struct Parts {
    user_id: u64,
    scene: String,
    size: usize,
    overrides: Option<wire::Overrides>,
    explain: bool,
}

fn assemble(parts: Parts, channels: &[ChannelConfig]) -> Result<Request, FieldError> {
    let Parts { user_id, scene: name, size, overrides, explain } = parts;
    let wire::Overrides {
        channels: only,
        theta,
        weights,
        skip_ranking,
        skip_rerank,
        skip_impressions,
    } = overrides.unwrap_or_default();
    let asked = asked(channels, &only, &weights).map_err(prefixed("overrides"))?;
    check_theta(theta).map_err(prefixed("overrides"))?;
    Ok(Request {
        user: UserId::from_wire(user_id, "user_id")?,
        scene: scene(name)?,
        size,
        served: Vec::new(),
        asked,
        exploration: None,
        theta,
        skip_ranking,
        skip_rerank,
        skip_impressions,
        explain,
    })
}

fn scene(name: String) -> Result<String, FieldError> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if name.is_empty() {
        return Ok(DEFAULT_SCENE.to_owned());
    }
    if name.len() > MAXIMUM_SCENE_BYTES {
        let reason = format_args!("more than {MAXIMUM_SCENE_BYTES} bytes").to_string();
        return Err(FieldError::new("scene", reason));
    }
    if !name.bytes().all(allowed) {
        return Err(FieldError::new("scene", "must be of [a-z0-9_-]"));
    }
    Ok(name)
}

fn check_size(size: u32) -> Result<usize, FieldError> {
    let size = Some(size).filter(|size| (1..=MAXIMUM_SIZE).contains(size));
    size.and_then(|size| usize::try_from(size).ok())
        .ok_or_else(|| FieldError::new("size", format_args!("must be 1 to {MAXIMUM_SIZE}")))
}

fn check_deadline(ms: u32) -> Result<Option<Duration>, FieldError> {
    match ms {
        0 => Ok(None),
        1..=MAXIMUM_DEADLINE_MS => Ok(Some(Duration::from_millis(u64::from(ms)))),
        _ => {
            let reason = format_args!("{ms} is more than {MAXIMUM_DEADLINE_MS}").to_string();
            Err(FieldError::new("deadline_ms", reason))
        }
    }
}

fn check_count(field: &str, count: usize, maximum: usize) -> Result<(), FieldError> {
    if (1..=maximum).contains(&count) {
        return Ok(());
    }
    Err(FieldError::new(field, format_args!("must have 1 to {maximum} elements, not {count}")))
}

fn check_theta(theta: Option<f32>) -> Result<(), FieldError> {
    match theta {
        Some(theta) if !(0.0..=0.99).contains(&theta) => {
            Err(FieldError::new("theta", format_args!("{theta} is not from 0 to 0.99")))
        }
        _ => Ok(()),
    }
}

/// The channels that take part, in configured order.
fn asked(
    channels: &[ChannelConfig],
    only: &[String],
    weights: &HashMap<String, u32>,
) -> Result<Vec<Asked>, FieldError> {
    for (index, name) in only.iter().enumerate() {
        check_known(channels, name, || format!("channels[{index}]"))?;
    }
    // Sorted, so that the same request is refused for the same field.
    let sorted: BTreeMap<&String, &u32> = weights.iter().collect();
    for (name, weight) in sorted {
        check_known(channels, name, || format!("weights[{name}]"))?;
        if *weight > MAXIMUM_WEIGHT {
            let reason = format_args!("{weight} is more than {MAXIMUM_WEIGHT}").to_string();
            return Err(FieldError::new(format!("weights[{name}]"), reason));
        }
    }
    let weighted = channels.iter().enumerate().map(|(channel, config)| {
        let weight = weights.get(&config.name).copied().unwrap_or(config.weight);
        let chosen = only.is_empty() || only.contains(&config.name);
        Asked { channel, weight: if chosen { weight } else { 0 } }
    });
    let asked: Vec<Asked> = weighted.filter(|asked| asked.weight > 0).collect();
    if asked.is_empty() {
        return Err(FieldError::new("weights", "leave no channel to ask"));
    }
    Ok(asked)
}

fn check_known(
    channels: &[ChannelConfig],
    name: &str,
    field: impl FnOnce() -> String,
) -> Result<(), FieldError> {
    if channels.iter().any(|channel| channel.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = channels.iter().map(|channel| &*channel.name).collect();
    let reason = format_args!("no channel {name:?}; there are {}", names.join(", ")).to_string();
    Err(FieldError::new(field(), reason))
}

#[cfg(test)]
mod tests;
