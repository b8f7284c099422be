use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tributary_retrieval::exploration::Exploration;

/// What is cold, as the logs move it. Seen by the next request: nothing waits for a publication, and
/// no cached list is renewed for it.
#[derive(Default)]
pub(crate) struct Exploring {
    // Moved by the two followers, on blocking threads only.
    working: Mutex<Exploration>,
    published: ArcSwap<Exploration>,
}

impl Exploring {
    pub(crate) fn snapshot(&self) -> Arc<Exploration> {
        self.published.load_full()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Exploration)) {
        let mut working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut working);
        // Under the lock: of two changes at once, the later state is the one that stays.
        self.published.store(Arc::new(working.clone()));
    }
}
