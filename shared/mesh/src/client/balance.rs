use std::sync::Arc;

use rand::seq::IndexedRandom;
use tokio::time::Instant;

use super::endpoint::Endpoint;

/// The less busy of two endpoints drawn from those that may be called, `except` left out. Where
/// all are ejected the choice is made in the same way among all: a call then costs no more than an
/// error would, no single one takes the load of all, and a single endpoint is found again by the
/// first call after it is back. With `except`, an ejected endpoint is no better than none.
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
    less_busy(&others).map(Arc::clone)
}

fn less_busy<'a>(open: &[&'a Arc<Endpoint>]) -> Option<&'a Arc<Endpoint>> {
    let two = open.choose_multiple(&mut rand::rng(), 2);
    two.min_by_key(|endpoint| endpoint.in_flight()).copied()
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, net::SocketAddr};

    use http::Uri;

    use super::*;
    use crate::client::{ClientConfig, endpoint::InFlight};

    fn ejected(port: u16) -> Arc<Endpoint> {
        let config = ClientConfig::at("http://feature:1");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let endpoint = Endpoint::new(address, Uri::from_static("http://feature:1"), &config);
        endpoint.eject();
        Arc::new(endpoint)
    }

    #[tokio::test]
    async fn where_all_are_ejected_all_share_the_load() {
        let endpoints = [ejected(1), ejected(2), ejected(3)];
        let picked = |_| pick(&endpoints, None).unwrap().address();
        assert_eq!((0..200).map(picked).collect::<HashSet<_>>().len(), 3);
        // The busiest of all loses every draw.
        let _call = InFlight::enter(&endpoints[0]);
        assert!((0..200).map(picked).all(|address| address.port() != 1));
        assert!(pick(&endpoints, Some(&endpoints[1])).is_none());
    }
}
