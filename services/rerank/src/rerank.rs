//! The order of one request: what is known of its candidates, then the algorithm.

use std::{sync::Arc, time::Instant};

use tokio::sync::Semaphore;
use tributary_bundle::Served;
use tributary_domain::{BundleId, Item, ItemId};
use tributary_feed::Catalog;
use tributary_retrieval::vector::VectorIndex;
use tributary_slate::{Cap, Labels, Pick, Request, Settings, Traits, rerank, similarity};

use crate::{
    RerankError,
    config::{Attribute, CapConfig, Config},
    metrics::{self, Counts},
    vectors::{self, Vectors},
};

/// A request with its defaults filled in.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) items: Vec<ItemId>,
    /// One for each item.
    pub(crate) scores: Vec<f32>,
    pub(crate) size: usize,
    pub(crate) settings: Settings,
    pub(crate) caps: Vec<CapConfig>,
}

/// The picked items in order.
pub(crate) struct Slate {
    pub(crate) picks: Vec<Pick>,
    pub(crate) bundle: Option<BundleId>,
}

/// Orders requests with the vectors and attributes known at the moment.
pub(crate) struct Reranker {
    /// `None` where the configuration names no bundle store.
    served: Option<Served<Vectors>>,
    catalog: Catalog,
    label_share: f32,
    /// One permit for each request under way; who gets none is refused at once.
    permits: Arc<Semaphore>,
    queue: usize,
}

impl Reranker {
    pub(crate) fn new(served: Option<Served<Vectors>>, catalog: Catalog, config: &Config) -> Self {
        let permits = Arc::new(Semaphore::new(config.queue));
        Self { served, catalog, label_share: config.label_share, permits, queue: config.queue }
    }

    /// Computes on a blocking thread: a large request takes longer than a worker should be held.
    pub(crate) async fn rerank(&self, query: Query) -> Result<Slate, RerankError> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            metrics::refused();
            RerankError::Overloaded { limit: self.queue }
        })?;
        let vectors = self.served.as_ref().and_then(Served::current);
        let snapshot = self.catalog.snapshot();
        let label_share = self.label_share;
        let compute = move || {
            let index = vectors.as_ref().map(|loaded| loaded.value.snapshot());
            let picks = order(&query, index.as_deref(), |item| snapshot.get(item), label_share);
            drop(permit);
            Slate { picks, bundle: vectors.map(|loaded| loaded.bundle_id.clone()) }
        };
        tokio::task::spawn_blocking(compute).await.map_err(RerankError::CutOff)
    }
}

fn order<'a>(
    query: &Query,
    index: Option<&VectorIndex>,
    attributes: impl Fn(ItemId) -> Option<&'a Arc<Item>>,
    label_share: f32,
) -> Vec<Pick> {
    let start = Instant::now();
    let items: Vec<Option<&Item>> =
        query.items.iter().map(|item| attributes(*item).map(Arc::as_ref)).collect();
    let traits: Vec<Traits<'_>> = query
        .items
        .iter()
        .zip(&items)
        .map(|(id, item)| Traits {
            vector: index.and_then(|index| vectors::get(index, *id)),
            genres: item.map_or(&[], |item| &item.genres),
            tags: item.map_or(&[], |item| &item.tags),
        })
        .collect();
    let caps: Vec<Cap> = query.caps.iter().map(|cap| with_labels(*cap, &items)).collect();
    let rows = similarity::vectors(&traits, label_share);
    let Query { scores, size, settings, .. } = query;
    let picks = rerank(&Request {
        scores,
        vectors: rows.view(),
        size: *size,
        settings: *settings,
        caps: &caps,
    });
    metrics::computed(counts(&traits, &items), start.elapsed());
    picks
}

fn counts(traits: &[Traits<'_>], items: &[Option<&Item>]) -> Counts {
    Counts {
        candidates: traits.len(),
        without_vector: traits.iter().filter(|traits| traits.vector.is_none()).count(),
        unknown: items.iter().filter(|item| item.is_none()).count(),
    }
}

fn with_labels(cap: CapConfig, items: &[Option<&Item>]) -> Cap {
    let CapConfig { attribute, maximum, window } = cap;
    Cap { maximum, window, labels: labels(attribute, items) }
}

/// An item that is not in the catalogue has no labels, so that no cap holds it back.
fn labels(attribute: Attribute, items: &[Option<&Item>]) -> Labels {
    let known = items.iter().copied();
    match attribute {
        Attribute::Creator => {
            Labels::from_rows(known.map(|item| item.and_then(|item| item.creator)))
        }
        Attribute::Genre => Labels::from_rows(
            known.map(|item| item.into_iter().flat_map(|item| item.genres.iter())),
        ),
        Attribute::Tag => {
            Labels::from_rows(known.map(|item| item.into_iter().flat_map(|item| item.tags.iter())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn refuses_what_is_too_much() {
        let config = Config { queue: 1, ..Config::default() };
        let reranker = Reranker::new(None, Catalog::new(), &config);
        let query = Query {
            items: vec![ItemId(1), ItemId(2)],
            scores: vec![0.1, 0.2],
            size: 2,
            settings: Settings::default(),
            caps: config.cap.clone(),
        };
        let under_way = Arc::clone(&reranker.permits).try_acquire_owned().unwrap();
        let refused = reranker.rerank(query.clone()).await;
        assert!(matches!(refused, Err(RerankError::Overloaded { limit: 1 })));
        drop(under_way);
        assert_eq!(reranker.rerank(query).await.unwrap().picks.len(), 2);
    }
}
