//! Making one list out of several, one score out of several, and a varied list out of a ranked
//! one.
//!
//! Pure functions over slices: nothing here does I/O, reads a clock or knows a service, so that
//! the mesh and the trainer's evaluation run the very same code. Every function is deterministic.

pub mod caps;
pub mod diversity;
pub mod fusion;
pub mod merge;
pub mod similarity;

pub use caps::{Cap, Labels};
pub use diversity::{Algorithm, Pick, Reason, Request, Settings, rerank};
pub use fusion::{Fusion, FusionError};
pub use merge::{ChannelList, Finding, Merged, merge};
pub use similarity::Traits;
