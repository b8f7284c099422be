//! Which columns attend, and how.

use serde::{Deserialize, Serialize};

use crate::{error::NetworkError, inputs::InputLayout, settings};

/// How the activation unit's scores become weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionWeights {
    /// The scores as they are, as the paper has it: several entries that fit say more than one.
    Raw,
    /// They are positive and sum to 1. Ranks better where it was measured (MovieLens 100K, split
    /// by time), and so is the default.
    #[default]
    Softmax,
}

/// One attention over a sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionConfig {
    /// The bag that is read as a sequence.
    pub sequence: String,
    /// The id column, of the same table, that its entries are compared with.
    pub target: String,
    /// Widths of the activation unit's hidden layers. Without any, the scores are linear.
    #[serde(default = "hidden")]
    pub hidden: Vec<usize>,
    #[serde(default)]
    pub weights: AttentionWeights,
    /// Keep the bag's mean in the embedded row besides.
    #[serde(default = "pooled")]
    pub pooled: bool,
}

fn hidden() -> Vec<usize> {
    vec![16]
}

fn pooled() -> bool {
    true
}

impl AttentionConfig {
    /// Attention with the defaults.
    #[must_use]
    pub fn new(sequence: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            sequence: sequence.into(),
            target: target.into(),
            hidden: hidden(),
            weights: AttentionWeights::default(),
            pooled: pooled(),
        }
    }

    pub(in crate::ranker) fn check(&self) -> Result<(), NetworkError> {
        settings::widths("attention.hidden", &self.hidden)
    }

    /// Numbers of the bag and of the id column.
    pub(in crate::ranker) fn find(
        &self,
        layout: &InputLayout,
    ) -> Result<(usize, usize), NetworkError> {
        let bag = layout.bags.iter().position(|bag| bag.name == self.sequence);
        let column = layout.ids.iter().position(|id| id.name == self.target);
        let (Some(bag), Some(column)) = (bag, column) else {
            let missing = if bag.is_none() { &self.sequence } else { &self.target };
            let reason = format!("names {missing}, which is no such column");
            return Err(NetworkError::config("attention", reason));
        };
        if layout.bags[bag].table == layout.ids[column].table {
            return Ok((bag, column));
        }
        let reason = format!("{} and {} are not of one table", self.sequence, self.target);
        Err(NetworkError::config("attention", reason))
    }
}
