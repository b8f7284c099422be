//! The one implementation of feature encoding, used by training and by serving.
//!
//! A [`Specification`] (TOML, written by people) lists features. A [`Fitter`] sees the training
//! records and makes an [`Encoder`], which turns [`Record`]s into rows of a [`Batch`]: the inputs
//! of a network whose tables are described by the encoder's [`Layout`]. The [`ranking`] module
//! holds the records of this system, computed by the same code from the same events offline and
//! online.

mod batch;
mod codec;
mod encoder;
mod error;
mod exact;
mod field;
mod fit;
mod hash;
mod layout;
pub mod ranking;
mod specification;
mod state;
mod value;

pub use batch::{Batch, Part, Rows};
pub use encoder::Encoder;
pub use error::FeatureError;
pub use field::{Field, Measure, Source};
pub use fit::Fitter;
pub use hash::bucket;
pub use layout::{BagColumn, IdColumn, Layout, Side, Table};
pub use specification::{Feature, Kind, Specification};
pub use state::{Moments, Vocabulary};
pub use value::{Record, Value};
