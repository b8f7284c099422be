//! Channels whose items are vectors of the bundle: the index, and searches for several queries.

use std::sync::Arc;

use tributary_bundle::{Bundle, BundleError};
use tributary_domain::Scored;
use tributary_retrieval::{
    TableError,
    vector::{ItemVectors, VectorConfig, VectorError, VectorIndex, merge_by_score},
};

use crate::{Query, RecallError, Workers};

/// Why a bundle holds no item vectors of use.
#[derive(Debug, thiserror::Error)]
pub enum VectorsError {
    #[error("the file of the item vectors cannot be read")]
    Bundle(#[from] BundleError),
    #[error("the item vectors are broken")]
    Table(#[from] TableError),
    #[error("the item vectors cannot be indexed")]
    Index(#[from] VectorError),
}

/// The item vectors of a bundle's file, searchable.
pub fn read_index(
    bundle: &Bundle,
    file: &str,
    config: &VectorConfig,
) -> Result<VectorIndex, VectorsError> {
    let ItemVectors { ids, vectors } = ItemVectors::from_bytes(&bundle.read(file)?)?;
    Ok(VectorIndex::build(ids, vectors, config)?)
}

/// The items nearest to any of several vectors of a user: a search for each, all at once, merged
/// by score, each item once. Nothing that the user has seen.
pub async fn nearest(
    workers: &Workers,
    index: &Arc<VectorIndex>,
    vectors: Vec<Vec<f32>>,
    query: &Query,
) -> Result<Vec<Scored>, RecallError> {
    let searches = vectors.into_iter().map(|vector| {
        let (index, context, size) = (Arc::clone(index), Arc::clone(&query.context), query.size);
        move || index.search(&vector, size, &|item| context.has_seen(item))
    });
    let lists: Result<Vec<_>, _> = workers.run_all(searches).await?.into_iter().collect();
    Ok(merge_by_score(lists.map_err(RecallError::internal)?, query.size))
}
