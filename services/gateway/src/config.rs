//! The gateway's configuration. Adding a recall channel is an entry of `[[channel]]` and nothing
//! else.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Deserialize;
use tributary_domain::FieldError;
use tributary_mesh::ClientConfig;
use tributary_runtime::{Configuration, ServerConfig, TelemetryConfig};

mod check;

const PORT: u16 = 7000;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: ServerConfig,
    pub telemetry: TelemetryConfig,
    pub feature: ClientConfig,
    pub ranking: ClientConfig,
    pub rerank: ClientConfig,
    /// The recall channels, in the order of their turns in merging. At least one, at most 16.
    pub channel: Vec<ChannelConfig>,
    pub merge: MergeConfig,
    pub slate: SlateConfig,
    pub deadline: DeadlineConfig,
    pub page_token: PageTokenConfig,
    pub fallback: FallbackConfig,
    pub exploration: ExplorationConfig,
    pub impressions: ImpressionsConfig,
    /// By scene; a scene that is not named has no rules of its own.
    pub scenes: BTreeMap<String, SceneConfig>,
    /// The age that the age rating assumes of users whose age is not known.
    pub unknown_age: u8,
    /// How long the start waits for the catalogue. After that the gateway serves without it.
    #[serde(with = "humantime_serde")]
    pub startup_wait: Duration,
    #[serde(skip)]
    no_rules: SceneConfig,
}

/// One recall channel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelConfig {
    /// `[a-z0-9-]`, unique; the channel is named "recall-<name>" where it is degraded.
    pub name: String,
    pub address: String,
    /// Items a turn in merging, 1 to 100.
    #[serde(default = "one")]
    pub weight: u32,
    /// Most items that enter the merged list by this channel's turns.
    #[serde(default)]
    pub quota: Option<usize>,
    /// Items asked for on a first page, 1 to 2,000.
    #[serde(default = "two_hundred")]
    pub limit: usize,
    #[serde(default = "hundred_ms", with = "humantime_serde")]
    pub deadline: Duration,
    /// The channel follows the item log: an item of its that the gateway does not know yet is new,
    /// not rubbish, while the gateway's own copy of the catalogue is incomplete.
    #[serde(default)]
    pub fresh: bool,
}

fn one() -> u32 {
    1
}

fn two_hundred() -> usize {
    200
}

fn hundred_ms() -> Duration {
    Duration::from_millis(100)
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MergeConfig {
    /// Most candidates that go to ranking, 1 to 2,000; never fewer than the request's size.
    pub limit: usize,
}

impl Default for MergeConfig {
    fn default() -> Self {
        Self { limit: 500 }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlateConfig {
    /// How much of the ranked list goes to rerank, 1 to 2,000; never less than twice the size.
    pub candidates: usize,
    /// Diversity, 0 to 0.99, where neither request nor scene says; absent: as rerank is configured.
    pub theta: Option<f32>,
}

impl Default for SlateConfig {
    fn default() -> Self {
        Self { candidates: 200, theta: None }
    }
}

/// The request's time and the most that each stage takes of it; channels have their own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadlineConfig {
    /// For requests that name none, at most 10 s.
    #[serde(with = "humantime_serde")]
    pub default: Duration,
    /// Kept for the answer; at most a fifth of the request's time.
    #[serde(with = "humantime_serde")]
    pub reserve: Duration,
    #[serde(with = "humantime_serde")]
    pub context: Duration,
    #[serde(with = "humantime_serde")]
    pub ranking: Duration,
    #[serde(with = "humantime_serde")]
    pub rerank: Duration,
    /// For RecordEvents.
    #[serde(with = "humantime_serde")]
    pub events: Duration,
}

impl Default for DeadlineConfig {
    fn default() -> Self {
        Self {
            default: Duration::from_millis(500),
            reserve: Duration::from_millis(20),
            context: Duration::from_millis(50),
            ranking: Duration::from_millis(100),
            rerank: Duration::from_millis(50),
            events: Duration::from_secs(5),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PageTokenConfig {
    /// Signs the tokens, at least 16 bytes and the same on every replica. Empty: a random one for
    /// each process, so that tokens end with it.
    pub secret: Secret,
    #[serde(with = "humantime_serde")]
    pub lifetime: Duration,
}

impl Default for PageTokenConfig {
    fn default() -> Self {
        Self { secret: Secret::default(), lifetime: Duration::from_secs(1_800) }
    }
}

/// A text that is never printed.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(none)" } else { "(secret)" })
    }
}

/// The last good trending list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FallbackConfig {
    /// The channel that it comes from; no fallback where no channel has that name.
    pub channel: String,
    /// 1 to 2,000.
    pub size: usize,
    #[serde(with = "humantime_serde")]
    pub refresh: Duration,
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
}

impl Default for FallbackConfig {
    fn default() -> Self {
        Self {
            channel: "trending".to_owned(),
            size: 500,
            refresh: Duration::from_secs(10),
            deadline: Duration::from_secs(1),
        }
    }
}

/// Places that are reserved for new items.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExplorationConfig {
    pub enabled: bool,
    /// The channel that knows the cold items; no places are reserved where no channel has that
    /// name, or a request does not ask it.
    pub channel: String,
    /// Most reserved places on one page, 1 to 100.
    pub slots: usize,
    /// The first reserved place, from 1, counted over all pages.
    pub first: usize,
    /// The distance from one reserved place to the next, at least 1.
    pub every: usize,
    /// An item that was shown this often is cold no more, 1 to 1,000,000.
    pub until_impressions: u64,
    /// An item that came into the catalogue longer ago is cold no more.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    /// Cold items asked for, 1 to 500: the filters and the user's taste choose among them.
    pub candidates: usize,
}

impl Default for ExplorationConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            channel: "trending".to_owned(),
            slots: 2,
            first: 6,
            every: 10,
            until_impressions: 100,
            max_age: Duration::from_hours(14 * 24),
            candidates: 50,
        }
    }
}

/// The queue of what was shown.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImpressionsConfig {
    /// Answers that may wait to be recorded; more are dropped and counted.
    pub queue: usize,
    /// How long the queue is flushed at shutdown.
    #[serde(with = "humantime_serde")]
    pub flush: Duration,
}

impl Default for ImpressionsConfig {
    fn default() -> Self {
        Self { queue: 4_096, flush: Duration::from_secs(2) }
    }
}

/// What a scene does differently.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SceneConfig {
    /// Items of these genres do not belong here.
    pub excluded_genres: Vec<String>,
    pub excluded_tags: Vec<String>,
    /// Diversity, 0 to 0.99.
    pub theta: Option<f32>,
}

impl Default for Config {
    fn default() -> Self {
        let upstream = |port: u16| ClientConfig::at(format!("http://127.0.0.1:{port}"));
        Self {
            server: ServerConfig::on(PORT),
            telemetry: TelemetryConfig::default(),
            feature: upstream(7001),
            ranking: upstream(7021),
            rerank: upstream(7022),
            channel: Vec::new(),
            merge: MergeConfig::default(),
            slate: SlateConfig::default(),
            deadline: DeadlineConfig::default(),
            page_token: PageTokenConfig::default(),
            fallback: FallbackConfig::default(),
            exploration: ExplorationConfig::default(),
            impressions: ImpressionsConfig::default(),
            scenes: BTreeMap::new(),
            unknown_age: 0,
            startup_wait: Duration::from_secs(10),
            no_rules: SceneConfig::default(),
        }
    }
}

impl Config {
    /// What holds in a scene.
    pub fn scene(&self, name: &str) -> &SceneConfig {
        self.scenes.get(name).unwrap_or(&self.no_rules)
    }

    /// The time that recall may take: that of the most patient channel.
    pub fn slowest_channel(&self) -> Duration {
        self.channel.iter().map(|channel| channel.deadline).max().unwrap_or_default()
    }

    /// The time that all stages may take together.
    pub fn stages(&self) -> Duration {
        let DeadlineConfig { context, ranking, rerank, .. } = self.deadline;
        context + self.slowest_channel() + ranking + rerank
    }

    pub fn is_fallback(&self, channel: &ChannelConfig) -> bool {
        channel.name == self.fallback.channel
    }

    /// The place of the channel that knows the cold items; `None` where none are shown.
    pub fn exploration_channel(&self) -> Option<usize> {
        let ExplorationConfig { enabled, channel: name, .. } = &self.exploration;
        self.channel.iter().position(|channel| *enabled && channel.name == *name)
    }

    /// The place of the channel that the fallback list comes from.
    pub fn fallback_channel(&self) -> Option<usize> {
        self.channel.iter().position(|channel| self.is_fallback(channel))
    }
}

impl Configuration for Config {
    fn server(&self) -> &ServerConfig {
        &self.server
    }

    fn telemetry(&self) -> &TelemetryConfig {
        &self.telemetry
    }

    fn check(&self) -> Result<(), FieldError> {
        check::check(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delivered_configuration_is_good() {
        let text = include_str!("../../../deploy/config/gateway.toml");
        let config: Config = tributary_runtime::parse(text).unwrap();
        let names: Vec<_> = config.channel.iter().map(|channel| &*channel.name).collect();
        assert_eq!(
            names,
            ["two-tower", "multi-interest", "graph", "collaborative", "search", "trending"]
        );
        let fresh: Vec<_> = config.channel.iter().map(|channel| channel.fresh).collect();
        assert_eq!(fresh, [true, true, true, false, true, true]);
        assert_eq!(config.exploration, ExplorationConfig::default());
        assert!(config.exploration_channel().is_some());
        assert!(config.fallback_channel().is_some());
        assert!(config.stages() < config.deadline.default);
    }

    #[test]
    fn the_secret_is_not_printed() {
        let mut config = Config::default();
        config.page_token.secret = Secret("open sesame, open sesame".into());
        assert!(!format!("{config:?}").contains("sesame"));
    }
}
