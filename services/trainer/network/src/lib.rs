//! Neural networks of the trainer: layers that know their forward pass, their backward pass and
//! their ONNX nodes, so that a model is described once, and trained and exported from that
//! description.
//!
//! Embedding tables have sparse gradients and lazy Adam moments: a step costs what its batch
//! touches, whatever the size of the tables. Training gives the same weights, bit for bit, for a
//! seed and a machine, whatever the number of threads.
//!
//! Exported models (IR 8, opset 17) have a dynamic first axis and read `ids` `[rows, id columns]`
//! (int64), `bag.<name>` `[rows, length]` (int64) and `dense` `[rows, numbers]` (float); inputs
//! without columns are absent. Ids are rows inside each column's table, 0 is padding.

mod checkpoint;
mod embedding;
mod error;
mod graph;
mod inputs;
mod layer;
mod multi_interest;
mod optimiser;
mod product;
mod progress;
mod ranker;
mod real;
mod recall;
mod settings;
mod source;
mod table;
mod two_tower;
mod workers;

pub use error::NetworkError;
pub use inputs::{BagShape, IdShape, InputLayout, Inputs, TableShape};
pub use multi_interest::{MultiInterest, MultiInterestConfig, NegativeScores};
pub use progress::Progress;
pub use ranker::{
    AttentionConfig, AttentionWeights, Calibration, Labelled, Ranker, RankerConfig, Structure,
};
pub use recall::{Positives, RecallExamples};
pub use source::Source;
pub use two_tower::{Objective, TwoTower, TwoTowerConfig};
