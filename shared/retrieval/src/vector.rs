//! Nearest items by inner product: exact for small catalogues, a graph (usearch) for large ones.

mod exact;
mod graph;
mod labels;
mod live;
mod merge;
mod table;

use std::{collections::HashMap, sync::Arc};

use ndarray::{Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};
use tributary_domain::{ItemId, Scored};

use self::{graph::Graph, live::Overlay};
pub use self::{labels::LabelMeans, live::VectorChange, merge::merge_by_score, table::ItemVectors};

/// How vectors are indexed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VectorConfig {
    /// Catalogues with fewer items are searched exactly.
    pub exact_below: usize,
    /// Neighbours of a node of the graph.
    pub connectivity: usize,
    /// Nodes looked at while inserting.
    pub expansion_add: usize,
    /// Nodes looked at while searching.
    pub expansion_search: usize,
    /// How many searches of the graph run at once, the others wait; 0 for one a core.
    pub concurrency: usize,
}

impl Default for VectorConfig {
    fn default() -> Self {
        Self {
            exact_below: 50_000,
            connectivity: 16,
            expansion_add: 128,
            expansion_search: 256,
            concurrency: 0,
        }
    }
}

/// Why vectors could not be indexed or searched.
#[derive(Debug, thiserror::Error)]
pub enum VectorError {
    #[error("{ids} item ids for {vectors} vectors")]
    Lengths { ids: usize, vectors: usize },
    #[error("item {item} has two vectors")]
    Repeated { item: ItemId },
    #[error("the vector of item {item} holds a number that is not finite")]
    NotFinite { item: ItemId },
    #[error("query of {found} dimensions for vectors of {expected}")]
    Dimensions { expected: usize, found: usize },
    #[error("query holds a number that is not finite")]
    QueryNotFinite,
    #[error("vector graph failed to {step}")]
    Graph { step: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
}

/// Item vectors, searchable. A value that does not change, safe to search from any number of
/// threads; [`VectorIndex::changed`] makes another of it, which shares all that is large.
#[derive(Clone)]
pub struct VectorIndex {
    base: Arc<Base>,
    /// What changed since the base was built.
    overlay: Overlay,
}

/// The vectors as they were indexed.
struct Base {
    ids: Vec<ItemId>,
    /// [items, dimensions], row-major.
    vectors: Array2<f32>,
    rows: HashMap<ItemId, usize>,
    graph: Option<Graph>,
}

impl VectorIndex {
    /// Indexes `vectors` [items, dimensions]. The graph is built by one thread, since only then
    /// the same vectors always give the same graph and so the same lists.
    pub fn build(
        ids: Vec<ItemId>,
        vectors: Array2<f32>,
        config: &VectorConfig,
    ) -> Result<Self, VectorError> {
        if ids.len() != vectors.nrows() {
            return Err(VectorError::Lengths { ids: ids.len(), vectors: vectors.nrows() });
        }
        let vectors = vectors.as_standard_layout().into_owned();
        let rows = number_rows(&ids, vectors.view())?;
        let graph = (ids.len() >= config.exact_below)
            .then(|| Graph::build(vectors.view(), config))
            .transpose()?;
        let base = Arc::new(Base { ids, vectors, rows, graph });
        Ok(Self { base, overlay: Overlay::default() })
    }

    /// The `size` items with the largest inner product with `query` that `skip` lets pass and that
    /// are not withdrawn; fewer only where fewer are left.
    pub fn search(
        &self,
        query: &[f32],
        size: usize,
        skip: &dyn Fn(ItemId) -> bool,
    ) -> Result<Vec<Scored>, VectorError> {
        self.check_query(query)?;
        let found = self.search_base(query, size, skip)?;
        match self.overlay.search(query, size, skip) {
            placed if placed.is_empty() => Ok(found),
            placed => Ok(merge_by_score(vec![found, placed], size)),
        }
    }

    fn search_base(
        &self,
        query: &[f32],
        size: usize,
        skip: &dyn Fn(ItemId) -> bool,
    ) -> Result<Vec<Scored>, VectorError> {
        let Base { ids, graph, .. } = &*self.base;
        let allowed = |row: usize| !self.overlay.covers(row) && !skip(ids[row]);
        if let Some(graph) = graph {
            let rows = graph.search(query, size, &allowed)?;
            if rows.len() >= size.min(ids.len()) {
                return Ok(exact::best_of(&self.base, query, rows, size));
            }
        }
        Ok(exact::best_that_pass(&self.base, query, size, &allowed))
    }

    fn check_query(&self, query: &[f32]) -> Result<(), VectorError> {
        let expected = self.dimensions();
        if query.len() != expected {
            return Err(VectorError::Dimensions { expected, found: query.len() });
        }
        // A query that is not a number would be answered with arbitrary items.
        if !query.iter().all(|value| value.is_finite()) {
            return Err(VectorError::QueryNotFinite);
        }
        Ok(())
    }

    /// The vector of an item, also of one that is withdrawn: it still says what a user who dealt
    /// with it likes.
    pub fn get(&self, item: ItemId) -> Option<ArrayView1<'_, f32>> {
        let placed = self.overlay.get(item).map(ArrayView1::from);
        placed.or_else(|| self.base.rows.get(&item).map(|row| self.base.vectors.row(*row)))
    }

    /// True where the item was indexed when this was built.
    pub fn was_built_with(&self, item: ItemId) -> bool {
        self.base.rows.contains_key(&item)
    }

    /// The items indexed when this was built, in the order of the vectors.
    pub fn ids(&self) -> &[ItemId] {
        &self.base.ids
    }

    /// Items indexed when this was built.
    pub fn len(&self) -> usize {
        self.base.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.base.ids.is_empty()
    }

    /// Items that got a vector since this was built.
    pub fn placed(&self) -> usize {
        self.overlay.placed()
    }

    pub fn dimensions(&self) -> usize {
        self.base.vectors.ncols()
    }

    /// True where searches are exact.
    pub fn is_exact(&self) -> bool {
        self.base.graph.is_none()
    }
}

fn number_rows(
    ids: &[ItemId],
    vectors: ArrayView2<'_, f32>,
) -> Result<HashMap<ItemId, usize>, VectorError> {
    let mut rows = HashMap::with_capacity(ids.len());
    for (row, item) in ids.iter().enumerate() {
        if rows.insert(*item, row).is_some() {
            return Err(VectorError::Repeated { item: *item });
        }
        if !vectors.row(row).iter().all(|value| value.is_finite()) {
            return Err(VectorError::NotFinite { item: *item });
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
