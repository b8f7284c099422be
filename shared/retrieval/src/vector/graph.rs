//! The usearch graph, with its traps fenced off.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    thread,
};

use ndarray::ArrayView2;
use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

use super::{VectorConfig, VectorError};

pub(super) struct Graph {
    index: Index,
    /// usearch fails searches beyond the threads it reserved for; the permits keep the rest waiting.
    permits: Permits,
}

impl Graph {
    pub(super) fn build(
        vectors: ArrayView2<'_, f32>,
        config: &VectorConfig,
    ) -> Result<Self, VectorError> {
        let options = IndexOptions {
            dimensions: vectors.ncols(),
            metric: MetricKind::IP,
            quantization: ScalarKind::F32,
            connectivity: config.connectivity,
            expansion_add: config.expansion_add,
            expansion_search: config.expansion_search,
            multi: false,
        };
        let index = Index::new(&options).map_err(failed_to("start"))?;
        let threads = concurrency(config);
        index
            .reserve_capacity_and_threads(vectors.nrows(), threads)
            .map_err(failed_to("reserve memory"))?;
        for (key, row) in (0_u64..).zip(vectors.rows()) {
            let row = row.to_slice().expect("build keeps the vectors row-major");
            index.add(key, row).map_err(failed_to("insert"))?;
        }
        Ok(Self { index, permits: Permits::new(threads) })
    }

    /// Row numbers of the nearest that `allow` lets pass, in no order to rely on; fewer than
    /// `size` where the graph did not find enough.
    pub(super) fn search(
        &self,
        query: &[f32],
        size: usize,
        allow: &dyn Fn(usize) -> bool,
    ) -> Result<Vec<usize>, VectorError> {
        let row = |key: u64| usize::try_from(key).expect("keys are row numbers");
        let matches =
            self.permits.with(|| self.index.filtered_search(query, size, |key| allow(row(key))));
        let matches = matches.map_err(failed_to("search"))?;
        Ok(matches.keys.into_iter().map(row).collect())
    }
}

fn concurrency(config: &VectorConfig) -> usize {
    match config.concurrency {
        0 => thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

fn failed_to<E>(step: &'static str) -> impl FnOnce(E) -> VectorError
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |error| VectorError::Graph { step, source: Box::new(error) }
}

/// A counting semaphore for threads.
struct Permits {
    /// How many are free.
    free: Mutex<usize>,
    returned: Condvar,
}

impl Permits {
    fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), returned: Condvar::new() }
    }

    fn with<T>(&self, work: impl FnOnce() -> T) -> T {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .returned
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        drop(free);
        let permit = Permit(self);
        let result = work();
        drop(permit);
        result
    }
}

/// Goes back when dropped, so that a panic inside the work does not lose it.
struct Permit<'a>(&'a Permits);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.returned.notify_one();
    }
}
