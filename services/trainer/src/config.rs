//! The command line and the configuration file. Every setting has a default in code; a TOML file
//! overrides what it names.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tributary_network::{MultiInterestConfig, RankerConfig, TwoTowerConfig};
use tributary_retrieval::{
    collaborative::CollaborativeConfig, medoids::MedoidsConfig, text::TextConfig,
    trending::TrendingConfig, vector::VectorConfig,
};
use tributary_slate::Settings;

use crate::{
    error::TrainerError, evaluate::lists::EvaluationConfig, gate::GateConfig, served::ServedConfig,
};

/// All settings of a training.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seeds everything random: the same seed, data and machine give the same models.
    pub seed: u64,
    pub data: DataConfig,
    pub split: SplitConfig,
    pub item_knn: ItemKnnConfig,
    pub ease: EaseConfig,
    pub examples: ExamplesConfig,
    pub two_tower: TwoTowerConfig,
    pub multi_interest: MultiInterestConfig,
    pub graph: crate::models::graph::GraphConfig,
    pub factors: crate::models::factors::FactorsConfig,
    pub ranker: RankerConfig,
    pub samples: SamplesConfig,
    pub served: ServedConfig,
    pub merge: MergeConfig,
    pub fusion: FusionConfig,
    pub rerank: RerankConfig,
    pub evaluation: EvaluationConfig,
    pub gate: GateConfig,
    pub vector: VectorConfig,
    pub medoids: MedoidsConfig,
    pub collaborative: CollaborativeConfig,
    pub text: TextConfig,
    pub trending: TrendingConfig,
    /// Feature specifications instead of the built-in ones.
    pub specifications: SpecificationPaths,
    /// Train the served models once more on all events, the test period included. Otherwise the
    /// evaluated models are served.
    pub refit: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Share of bad rows above which reading fails.
    pub rejected_share: f64,
}

/// How the data is divided where it brings no split of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitKind {
    /// By two moments.
    Time,
    /// A random share of each user's items, as public benchmarks do.
    Random,
}

/// Where the data is cut.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitConfig {
    pub kind: SplitKind,
    /// The ranker's window begins after this share of the events in order of time.
    pub window: f64,
    /// The test period begins after this share of the events, and the window ends.
    pub test: f64,
    pub random: RandomSplitConfig,
    /// Behaviours that a context holds at most, as the feature service keeps them.
    pub context: usize,
    /// Cases of one round at most; beyond it they are thinned out evenly.
    pub cases: usize,
    /// Shares of a user's events of the test period after which the evaluation asks.
    pub ask_after: Vec<f64>,
    /// The same for the ranker's window: more than one gives more samples.
    pub sample_after: Vec<f64>,
}

/// What is held out where the split does not go by time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RandomSplitConfig {
    /// Share of each user's items that is the test part.
    pub share: f64,
    /// Rounds in which the ranker learns: in each another part of the training items is held out.
    pub rehearsals: usize,
    /// Share of each user's training items that a rehearsal holds out.
    pub rehearsal_share: f64,
}

/// The ItemKNN baseline and the cosine table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ItemKnnConfig {
    pub neighbours: usize,
    pub shrinkage: f32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EaseConfig {
    /// The λ of the closed form.
    pub regularisation: f32,
    /// Up to so many items are solved exactly, in memory that grows with the square; beyond it
    /// each item is solved from its `candidates` most telling others.
    pub maximum_items: usize,
    pub candidates: usize,
    /// Neighbours of an item that the served table keeps.
    pub neighbours: usize,
}

/// What of a user's history an example of a recall network knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// What came before the example's item.
    Before,
    /// A part of all other items, drawn by chance and in an order by chance: for data whose parts
    /// were not divided by time.
    Others,
}

/// What the recall networks learn from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExamplesConfig {
    pub known: Known,
    /// The latest examples of one user that are used.
    pub per_user: usize,
    /// All examples, at most; beyond it they are thinned out evenly.
    pub maximum: usize,
    /// About how many examples a network looks at in all its epochs together: where those that are
    /// configured would look at more, there are fewer of them, but one at least.
    pub visits: usize,
    /// Share of the examples whose item stands there as a new one would, without its id, so that the
    /// item towers learn what the attributes say and the row of unknown ids stands for; 0 for none.
    pub cold_share: f32,
}

impl ExamplesConfig {
    /// How many of the epochs of so many examples are trained for.
    pub(crate) fn epochs(&self, examples: usize, configured: usize) -> usize {
        let nearest = self.visits.saturating_add(examples / 2) / examples.max(1);
        configured.min(nearest.max(1))
    }
}

/// What the ranker learns from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplesConfig {
    /// Recalled but not chosen candidates of a case that are kept; their weight makes up for the
    /// others, so that probabilities stay calibrated.
    pub negatives: usize,
    /// Share of the window's cases, the latest ones, that stop the training and choose the fusion.
    pub validation: f64,
}

/// How the channels' lists are joined, as the gateway does it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MergeConfig {
    /// Candidates asked of each channel.
    pub recall_size: usize,
    /// Candidates after the merge.
    pub limit: usize,
    /// Items that a channel hands over in its turn.
    pub two_tower: u32,
    pub multi_interest: u32,
    pub graph: u32,
    pub collaborative: u32,
    pub search: u32,
    pub trending: u32,
}

/// How the final list is picked, as the rerank service does it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RerankConfig {
    /// The first of the ranked candidates that are picked from.
    pub candidates: usize,
    /// Share of genres and tags in the similarity of two items.
    pub label_share: f32,
    pub diversity: Settings,
}

/// How the ranker's probabilities become one score.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FusionConfig {
    /// Exponents of `liked` to choose from; `watched` has 1 minus it.
    pub liked_exponents: Vec<f32>,
    /// Weight of NDCG over liked items in the choice; the rest is NDCG over all engaged ones.
    pub liked_share: f64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpecificationPaths {
    pub user_tower: Option<PathBuf>,
    pub item_tower: Option<PathBuf>,
    pub multi_interest_user: Option<PathBuf>,
    pub multi_interest_item: Option<PathBuf>,
    pub ranker: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            data: DataConfig::default(),
            split: SplitConfig::default(),
            item_knn: ItemKnnConfig::default(),
            ease: EaseConfig::default(),
            examples: ExamplesConfig::default(),
            two_tower: TwoTowerConfig {
                shared_tables: vec!["item".into()],
                epochs: 5,
                regularisation: 1e-4,
                embedding_regularisation: 1e-3,
                ..TwoTowerConfig::default()
            },
            multi_interest: MultiInterestConfig {
                shared_tables: vec!["item".into()],
                epochs: 5,
                regularisation: 1e-4,
                embedding_regularisation: 1e-3,
                ..MultiInterestConfig::default()
            },
            graph: crate::models::graph::GraphConfig::default(),
            factors: crate::models::factors::FactorsConfig::default(),
            ranker: crate::models::ranker::network(),
            samples: SamplesConfig::default(),
            served: ServedConfig::default(),
            merge: MergeConfig::default(),
            fusion: FusionConfig::default(),
            rerank: RerankConfig::default(),
            evaluation: EvaluationConfig::default(),
            gate: GateConfig::default(),
            vector: VectorConfig::default(),
            medoids: MedoidsConfig::default(),
            collaborative: CollaborativeConfig::default(),
            text: TextConfig::default(),
            trending: TrendingConfig::default(),
            specifications: SpecificationPaths::default(),
            refit: true,
        }
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { rejected_share: 0.01 }
    }
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            kind: SplitKind::Time,
            window: 0.6,
            test: 0.8,
            random: RandomSplitConfig::default(),
            context: crate::split::BEHAVIOURS,
            cases: 10_000,
            ask_after: vec![0.5],
            sample_after: vec![0.25, 0.5, 0.75],
        }
    }
}

impl Default for RandomSplitConfig {
    fn default() -> Self {
        Self { share: 0.25, rehearsals: 2, rehearsal_share: 0.25 }
    }
}

impl Default for ItemKnnConfig {
    fn default() -> Self {
        Self { neighbours: 100, shrinkage: 0.0 }
    }
}

impl Default for EaseConfig {
    fn default() -> Self {
        Self { regularisation: 300.0, maximum_items: 10_000, candidates: 150, neighbours: 400 }
    }
}

impl Default for ExamplesConfig {
    fn default() -> Self {
        Self {
            known: Known::Before,
            per_user: 200,
            maximum: 1_000_000,
            visits: 2_000_000,
            cold_share: 0.0,
        }
    }
}

impl Default for SamplesConfig {
    fn default() -> Self {
        Self { negatives: 150, validation: 0.2 }
    }
}

impl Default for MergeConfig {
    fn default() -> Self {
        Self {
            recall_size: 200,
            limit: 500,
            two_tower: 1,
            multi_interest: 1,
            graph: 1,
            collaborative: 1,
            search: 1,
            trending: 1,
        }
    }
}

impl MergeConfig {
    /// In the order of the channels.
    pub(crate) fn weights(&self) -> [u32; crate::channels::CHANNELS.len()] {
        [
            self.two_tower,
            self.multi_interest,
            self.graph,
            self.collaborative,
            self.search,
            self.trending,
        ]
    }
}

impl Default for RerankConfig {
    fn default() -> Self {
        Self { candidates: 200, label_share: 0.6, diversity: Settings::default() }
    }
}

impl Default for FusionConfig {
    fn default() -> Self {
        Self { liked_exponents: vec![0.0, 0.1, 0.2, 0.3, 0.4, 0.5], liked_share: 0.5 }
    }
}

impl Config {
    /// The same settings with everything random seeded by `seed`.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self.two_tower.seed = seed;
        self.multi_interest.seed = seed;
        self.ranker.seed = seed;
        self
    }

    /// The defaults, or those with what `file` overrides key by key.
    pub fn load(file: Option<&Path>) -> Result<Self, TrainerError> {
        let Some(path) = file else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path).map_err(TrainerError::file("read", path))?;
        Self::parse(&text)
            .map_err(|source| TrainerError::Config { path: path.into(), source: source.into() })
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let mut all = toml::Table::try_from(Self::default())
            .expect("the defaults hold nothing that TOML cannot");
        override_with(&mut all, toml::from_str(text)?);
        all.try_into()
    }
}

/// Tables are merged, so that a file that names one key of a section keeps the section's others.
fn override_with(base: &mut toml::Table, changes: toml::Table) {
    for (key, change) in changes {
        match (base.get_mut(&key), change) {
            (Some(toml::Value::Table(base)), toml::Value::Table(change)) => {
                override_with(base, change);
            }
            (_, change) => {
                base.insert(key, change);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_changes_only_what_it_names() {
        let defaults = Config::default();
        let config = Config::parse("[two_tower]\nepochs = 3\n[trending]\nhalf_life = \"7days\"");
        let config = config.unwrap();
        assert_eq!(config.two_tower.epochs, 3);
        assert_eq!(config.two_tower.shared_tables, defaults.two_tower.shared_tables);
        assert_eq!(config.trending.half_life, std::time::Duration::from_secs(7 * 86_400));
        assert_eq!(config.trending.segment_share, defaults.trending.segment_share);
    }

    #[test]
    fn many_examples_are_looked_at_in_fewer_epochs() {
        let config = ExamplesConfig { visits: 2_000_000, ..ExamplesConfig::default() };
        let rows = [
            (0, 5),
            (100_000, 5),
            (400_000, 5),
            (600_000, 3),
            (790_000, 3),
            (990_000, 2),
            (9_000_000, 1),
        ];
        for (examples, expected) in rows {
            assert_eq!(config.epochs(examples, 5), expected, "{examples} examples");
        }
        assert_eq!(config.epochs(600_000, 1), 1, "never more than are configured");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = Config::parse("[ease]\nlambda = 3").unwrap_err();
        assert!(error.to_string().contains("lambda"), "{error}");
    }
}
