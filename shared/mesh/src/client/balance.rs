use std::sync::Arc;

use rand::seq::IndexedRandom;
use tokio::time::Instant;

use super::endpoint::Endpoint;

/// The less busy of two endpoints drawn from those that may be called, `except` left out. Where
/// all are ejected the one that failed longest ago is tried all the same: a call then costs no more
/// than an error would, and a single endpoint is found again by the first call after it is back.
/// With `except`, an ejected endpoint is no better than none.
pub(super) fn pick(
    endpoints: &[Arc<Endpoint>],
    except: Option<&Arc<Endpoint>>,
) -> Option<Arc<Endpoint>> {
    let now = Instant::now();
    let others: Vec<&Arc<Endpoint>> = endpoints
        .iter()
        .filter(|endpoint| except.is_none_or(|except| !Arc::ptr_eq(endpoint, except)))
        .collect();
    let mut open: Vec<&Arc<Endpoint>> =
        others.iter().copied().filter(|endpoint| endpoint.is_open(now)).collect();
    while let Some(choice) = less_busy(&open) {
        if choice.claim(now) {
            return Some(Arc::clone(choice));
        }
        open.retain(|endpoint| !Arc::ptr_eq(endpoint, choice));
    }
    if except.is_some() {
        return None;
    }
    others.into_iter().min_by_key(|endpoint| endpoint.closed_until()).map(Arc::clone)
}

fn less_busy<'a>(open: &[&'a Arc<Endpoint>]) -> Option<&'a Arc<Endpoint>> {
    let two = open.choose_multiple(&mut rand::rng(), 2);
    two.min_by_key(|endpoint| endpoint.in_flight()).copied()
}
