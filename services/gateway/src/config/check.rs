//! The ranges of the configuration.

use std::{collections::HashSet, ops::RangeInclusive, time::Duration};

use tributary_domain::FieldError;

use super::{ChannelConfig, Config};

const MAXIMUM_CHANNELS: usize = 16;
const SECRET_BYTES: usize = 16;
const MAXIMUM_TIME: Duration = Duration::from_secs(10);
const MAXIMUM_CANDIDATES: usize = 2_000;

pub(super) fn check(config: &Config) -> Result<(), FieldError> {
    check_channels(&config.channel)?;
    let candidates = 1..=MAXIMUM_CANDIDATES;
    in_range("merge.limit", config.merge.limit, &candidates)?;
    in_range("slate.candidates", config.slate.candidates, &candidates)?;
    in_range("fallback.size", config.fallback.size, &candidates)?;
    in_range("impressions.queue", config.impressions.queue, &(1..=1_000_000))?;
    check_exploration(config)?;
    check_theta("slate.theta", config.slate.theta)?;
    for (name, scene) in &config.scenes {
        check_theta(&format!("scenes.{name}.theta"), scene.theta)?;
    }
    check_times(config)?;
    check_secret(&config.page_token.secret.0)
}

fn check_exploration(config: &Config) -> Result<(), FieldError> {
    let exploration = &config.exploration;
    let impressions = usize::try_from(exploration.until_impressions).unwrap_or(usize::MAX);
    for (name, value, most) in [
        ("slots", exploration.slots, 100),
        ("first", exploration.first, 10_000),
        ("every", exploration.every, 10_000),
        ("until_impressions", impressions, 1_000_000),
        ("candidates", exploration.candidates, 500),
    ] {
        in_range(&format!("exploration.{name}"), value, &(1..=most))?;
    }
    match exploration.max_age.is_zero() {
        true => Err(FieldError::new("exploration.max_age", "must not be zero")),
        false => Ok(()),
    }
}

fn check_channels(channels: &[ChannelConfig]) -> Result<(), FieldError> {
    in_range("channel", channels.len(), &(1..=MAXIMUM_CHANNELS))?;
    let mut names = HashSet::new();
    for (index, channel) in channels.iter().enumerate() {
        let inside = |error: FieldError| error.inside(&format!("channel[{index}]"));
        check_channel(channel).map_err(inside)?;
        if !names.insert(&channel.name) {
            return Err(inside(FieldError::new("name", "is used twice")));
        }
    }
    Ok(())
}

fn check_channel(channel: &ChannelConfig) -> Result<(), FieldError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if channel.name.is_empty() || !channel.name.bytes().all(allowed) {
        return Err(FieldError::new("name", "must be of [a-z0-9-]"));
    }
    let weight = usize::try_from(channel.weight).unwrap_or(usize::MAX);
    in_range("weight", weight, &(1..=100))?;
    in_range("limit", channel.limit, &(1..=MAXIMUM_CANDIDATES))?;
    check_time("deadline", channel.deadline)
}

fn check_times(config: &Config) -> Result<(), FieldError> {
    let deadline = &config.deadline;
    for (name, time) in [
        ("deadline.default", deadline.default),
        ("deadline.context", deadline.context),
        ("deadline.ranking", deadline.ranking),
        ("deadline.rerank", deadline.rerank),
        ("deadline.events", deadline.events),
        ("fallback.deadline", config.fallback.deadline),
    ] {
        check_time(name, time)?;
    }
    if config.fallback.refresh.is_zero() {
        return Err(FieldError::new("fallback.refresh", "must not be zero"));
    }
    if config.page_token.lifetime.is_zero() {
        return Err(FieldError::new("page_token.lifetime", "must not be zero"));
    }
    Ok(())
}

fn check_time(name: &str, time: Duration) -> Result<(), FieldError> {
    if time.is_zero() || time > MAXIMUM_TIME {
        return Err(FieldError::new(name, "must be more than 0 and at most 10s"));
    }
    Ok(())
}

fn check_secret(secret: &str) -> Result<(), FieldError> {
    if (1..SECRET_BYTES).contains(&secret.len()) {
        let reason = format_args!("must have at least {SECRET_BYTES} bytes").to_string();
        return Err(FieldError::new("page_token.secret", reason));
    }
    Ok(())
}

fn check_theta(name: &str, theta: Option<f32>) -> Result<(), FieldError> {
    match theta {
        Some(theta) if !(0.0..=0.99).contains(&theta) => {
            Err(FieldError::new(name, "must be from 0 to 0.99"))
        }
        _ => Ok(()),
    }
}

fn in_range(name: &str, value: usize, range: &RangeInclusive<usize>) -> Result<(), FieldError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (low, high) = (range.start(), range.end());
    Err(FieldError::new(name, format_args!("{value} is not from {low} to {high}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Secret, fakes};

    #[test]
    fn the_offending_key_is_named() {
        let good = fakes::config;
        type Spoil = fn(&mut Config);
        let cases: [(Spoil, &str); 18] = [
            (|config| config.channel.clear(), "channel"),
            (|config| config.channel[1].name = config.channel[0].name.clone(), "channel[1].name"),
            (|config| config.channel[0].name = "Two Tower".into(), "channel[0].name"),
            (|config| config.channel[0].weight = 0, "channel[0].weight"),
            (|config| config.channel[0].limit = 2_001, "channel[0].limit"),
            (|config| config.channel[0].deadline = Duration::ZERO, "channel[0].deadline"),
            (|config| config.merge.limit = 0, "merge.limit"),
            (|config| config.slate.theta = Some(1.0), "slate.theta"),
            (|config| config.deadline.default = Duration::from_secs(11), "deadline.default"),
            (|config| config.page_token.secret = Secret("short".into()), "page_token.secret"),
            (|config| config.fallback.size = 0, "fallback.size"),
            (|config| config.exploration.slots = 0, "exploration.slots"),
            (|config| config.exploration.first = 0, "exploration.first"),
            (|config| config.exploration.every = 0, "exploration.every"),
            (|config| config.exploration.until_impressions = 0, "exploration.until_impressions"),
            (|config| config.exploration.candidates = 501, "exploration.candidates"),
            (|config| config.exploration.max_age = Duration::ZERO, "exploration.max_age"),
            (
                |config| {
                    let theta = Some(f32::NAN);
                    let scene = crate::config::SceneConfig { theta, ..Default::default() };
                    config.scenes.insert("home".into(), scene);
                },
                "scenes.home.theta",
            ),
        ];
        assert_eq!(check(&good()), Ok(()));
        for (spoil, field) in cases {
            let mut config = good();
            spoil(&mut config);
            assert_eq!(check(&config).unwrap_err().field, field);
        }
    }
}
