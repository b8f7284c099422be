//! The threads a network computes on.

use rayon::ThreadPool;

use crate::error::NetworkError;

/// Rayon's own pool, or one of a given size.
#[derive(Debug)]
pub(crate) struct Workers(Option<ThreadPool>);

impl Workers {
    /// 0 takes rayon's own pool.
    pub(crate) fn new(threads: usize) -> Result<Self, NetworkError> {
        if threads == 0 {
            return Ok(Self(None));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.map(|pool| Self(Some(pool))).map_err(NetworkError::Threads)
    }

    pub(crate) fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            None => work(),
            Some(pool) => pool.install(work),
        }
    }
}
