//! Builders of test data, and the service started in the test's process.

use std::{path::Path, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tributary_domain::{
    Action, Behaviour, Event, ItemId, ServedChannel, ServedEvent, Timestamp, UserId,
};
use tributary_feature::{Config, Retention, Store, StoreConfig, start};
use tributary_proto::feature::v1::feature_service_client::FeatureServiceClient;
use tributary_runtime::Listeners;
use tributary_testkit::{TestFolder, channel};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn event(user: u64, item: u64, action: Action, time: i64) -> Event {
    let (item, time) = (ItemId(item), Timestamp(time));
    Event { user: UserId(user), behaviour: Behaviour { item, action, time, dwell_ms: 0 } }
}

/// Events of whose items nothing is known but that they were acted on.
pub(crate) fn bare(events: impl IntoIterator<Item = Event>) -> Vec<ServedEvent> {
    events.into_iter().map(ServedEvent::from).collect()
}

pub(crate) fn served(position: u32) -> tributary_domain::Served {
    tributary_domain::Served {
        request_id: "request".to_owned(),
        scene: "home".to_owned(),
        position,
        score: 0.25,
        ranking_bundle: position.is_multiple_of(2).then(|| "bundle".into()),
        context_version: 7,
        channels: vec![ServedChannel { channel: "search".into(), position: 4, score: 1.5 }],
        exploration: position == 3,
    }
}

pub(crate) fn store_in(folder: &Path, retention: Retention) -> Store {
    let config = StoreConfig { data: folder.to_owned(), ..StoreConfig::default() };
    Store::embedded(&config, retention).unwrap()
}

/// The service on a free port with its data in a temporary folder.
pub(crate) struct Served {
    pub(crate) client: FeatureServiceClient<Channel>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) ended: JoinHandle<anyhow::Result<()>>,
    _folder: TestFolder,
}

impl Served {
    pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let folder = TestFolder::new("feature");
        let mut config = Config::default();
        config.store.data = folder.path().to_owned();
        change(&mut config);
        let listeners = Listeners::ephemeral().await;
        let client = FeatureServiceClient::new(channel(listeners.grpc_address()));
        let shutdown = CancellationToken::new();
        let ended = tokio::spawn(start(config, listeners, shutdown.clone()));
        Self { client, shutdown, ended, _folder: folder }
    }
}
