//! A request after validation: names are resolved, ranges hold, the page token is opened.

use tributary_domain::{ItemId, UserId};

use crate::exploration;

/// What a caller wants, checked.
#[derive(Debug, Clone)]
pub struct Request {
    pub user: UserId,
    /// Never empty.
    pub scene: String,
    /// 1 to 500.
    pub size: usize,
    /// Items on earlier pages, ascending without repeats.
    pub served: Vec<ItemId>,
    /// In the order of the configuration, at least one.
    pub asked: Vec<Asked>,
    /// The places of the page that are reserved for new items; `None` where there are none.
    pub exploration: Option<exploration::Plan>,
    /// Diversity; `None` leaves it to the scene, then to rerank.
    pub theta: Option<f32>,
    pub skip_ranking: bool,
    pub skip_rerank: bool,
    pub skip_impressions: bool,
    pub explain: bool,
}

/// A channel that takes part in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Its place in the configuration.
    pub channel: usize,
    /// Takes a cycle in merging, 1 to 100.
    pub weight: u32,
}
