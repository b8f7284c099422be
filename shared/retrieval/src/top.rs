//! The best few of many.

use tributary_domain::Scored;

/// The `size` best, best first, in O(n + size log size).
pub(crate) fn top(mut scored: Vec<Scored>, size: usize) -> Vec<Scored> {
    if size == 0 {
        return Vec::new();
    }
    if scored.len() > size {
        scored.select_nth_unstable_by(size - 1, Scored::best_first);
        scored.truncate(size);
    }
    scored.sort_unstable_by(Scored::best_first);
    scored
}
