use std::{future::Future, sync::Arc};

use tributary_domain::{BundleId, Scored, UserContext};
use tributary_retrieval::exploration::{ColdItem, ColdQuery};

use crate::RecallError;

/// What a channel is asked.
#[derive(Debug, Clone)]
pub struct Query {
    pub context: Arc<UserContext>,
    /// Where the list is shown; empty where the caller did not say.
    pub scene: String,
    /// How many items are wanted, at least 1.
    pub size: usize,
}

/// What a channel answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Recalled {
    /// At most `Query::size` items, of which the user has seen none. Fewer mean that the channel
    /// has no more. Order does not matter: the adapter sorts by score.
    pub items: Vec<Scored>,
    /// The bundle that the items came from.
    pub bundle: Option<BundleId>,
}

impl Recalled {
    /// The answer of a channel that works without a bundle.
    pub fn live(items: Vec<Scored>) -> Self {
        Self { items, bundle: None }
    }
}

/// A source of candidates for a user.
pub trait Channel: Send + Sync + 'static {
    /// Changes whenever lists computed before should no longer be served, for example with the
    /// bundle. Part of the cache's key.
    fn revision(&self) -> u64;

    /// The items the channel proposes. A context without anything to go by gives an empty list,
    /// not an error. Dropping the future cancels the call.
    fn recall(&self, query: &Query) -> impl Future<Output = Result<Recalled, RecallError>> + Send;

    /// New items that are to be shown to find out what they are worth. Never from a cache: an item
    /// counts as soon as it is there. The default is for channels that know of none.
    fn cold(
        &self,
        _context: &Arc<UserContext>,
        _query: ColdQuery,
    ) -> impl Future<Output = Result<Vec<ColdItem>, RecallError>> + Send {
        std::future::ready(Ok(Vec::new()))
    }
}
