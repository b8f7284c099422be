//! The endpoints behind a name, kept up to date.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use http::Uri;
use tokio::{
    net::lookup_host,
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{ClientConfig, endpoint::Endpoint};

/// A name that a failing call asks for again is not looked up more often than this.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

type List = Arc<[Arc<Endpoint>]>;

/// The endpoints of one upstream. An address is one endpoint for good; a name is looked up in the
/// background, and endpoints that stay keep their connection.
pub(super) struct Endpoints {
    list: watch::Receiver<Option<List>>,
    nudge: Arc<Notify>,
    patience: Duration,
    _lookup: Option<AbortOnDropHandle<()>>,
}

impl Endpoints {
    /// `None` where `origin` is not like `http://host:port`.
    pub(super) fn of(upstream: &str, origin: Uri, config: &ClientConfig) -> Option<Self> {
        if origin.scheme_str() != Some("http") || !matches!(origin.path(), "" | "/") {
            return None;
        }
        let host = origin.host()?.to_owned();
        let port = origin.port_u16()?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse() {
            return Some(Self::fixed(&[SocketAddr::new(address, port)], &origin, config));
        }
        let nudge = Arc::new(Notify::new());
        let (sender, list) = watch::channel(None);
        let patience = config.connect_timeout;
        let lookup = Lookup {
            upstream: upstream.to_owned(),
            host,
            port,
            origin,
            config: config.clone(),
            list: sender,
        };
        let task = tokio::spawn(lookup.run(Arc::clone(&nudge)));
        Some(Self { list, nudge, patience, _lookup: Some(AbortOnDropHandle::new(task)) })
    }

    /// Endpoints that stay as they are.
    pub(super) fn fixed(addresses: &[SocketAddr], origin: &Uri, config: &ClientConfig) -> Self {
        let endpoint = |address| Arc::new(Endpoint::new(address, origin.clone(), config));
        let (_, list) = watch::channel(Some(addresses.iter().copied().map(endpoint).collect()));
        let (nudge, patience) = (Arc::new(Notify::new()), config.connect_timeout);
        Self { list, nudge, patience, _lookup: None }
    }

    /// The endpoints known now. Waits for the first lookup, though not for ever; empty where it
    /// has found nothing.
    pub(super) async fn current(&self) -> List {
        if let Some(list) = self.list.borrow().as_ref() {
            return Arc::clone(list);
        }
        let mut list = self.list.clone();
        match timeout(self.patience, list.wait_for(Option::is_some)).await {
            Ok(Ok(found)) => found.as_ref().map_or_else(|| Arc::from([]), Arc::clone),
            Ok(Err(_)) | Err(_) => Arc::from([]),
        }
    }

    /// Asks for a lookup soon: an endpoint could not be reached.
    pub(super) fn nudge(&self) {
        self.nudge.notify_one();
    }
}

struct Lookup {
    upstream: String,
    host: String,
    port: u16,
    origin: Uri,
    config: ClientConfig,
    list: watch::Sender<Option<List>>,
}

impl Lookup {
    async fn run(self, nudge: Arc<Notify>) {
        loop {
            match lookup_host((self.host.as_str(), self.port)).await {
                Ok(addresses) => self.replace(addresses.collect()),
                Err(error) => self.keep(&error),
            }
            sleep(SHORTEST_PAUSE).await;
            tokio::select! {
                () = sleep(self.config.resolve_every) => {}
                () = nudge.notified() => {}
            }
        }
    }

    fn replace(&self, mut addresses: Vec<SocketAddr>) {
        addresses.sort_unstable();
        addresses.dedup();
        let old = self.list.borrow().clone();
        let old: &[Arc<Endpoint>] = old.as_deref().unwrap_or(&[]);
        if !old.is_empty()
            && old.iter().map(|endpoint| endpoint.address()).eq(addresses.iter().copied())
        {
            return;
        }
        tracing::info!(upstream = self.upstream, host = self.host, ?addresses, "endpoints");
        let list = addresses.into_iter().map(|address| {
            let known = old.iter().find(|endpoint| endpoint.address() == address);
            known.map_or_else(
                || Arc::new(Endpoint::new(address, self.origin.clone(), &self.config)),
                Arc::clone,
            )
        });
        self.list.send_replace(Some(list.collect()));
    }

    /// A resolver that fails says nothing of the endpoints: those known stay.
    fn keep(&self, error: &io::Error) {
        tracing::warn!(upstream = self.upstream, host = self.host, %error, "name not resolved");
        self.list.send_if_modified(|list| match list {
            Some(_) => false,
            None => {
                *list = Some(Arc::from([]));
                true
            }
        });
    }
}
