//! What every store has to do: the same tests on the embedded one, on a server of Redis and on a
//! Cluster.

mod behaviour;
mod random;

use tributary_feature::{RedisConfig, RedisMode, Retention, Store, StoreConfig};
use tributary_testkit::{RedisCluster, RedisServer, TestFolder};

/// What keeps the data.
pub(crate) enum Backend {
    Embedded(TestFolder),
    Redis(Box<RedisServer>),
    Cluster(RedisCluster),
}

impl Backend {
    fn embedded() -> Self {
        Self::Embedded(TestFolder::new("store"))
    }

    async fn server() -> Self {
        Self::Redis(Box::new(RedisServer::start().await))
    }

    async fn cluster() -> Self {
        Self::Cluster(RedisCluster::start().await)
    }

    /// Opens what is kept, once more or for the first time.
    pub(crate) async fn open(&self, retention: Retention) -> Store {
        match self {
            Self::Embedded(folder) => {
                let data = folder.path().to_owned();
                let config = StoreConfig { data, ..StoreConfig::default() };
                Store::embedded(&config, retention).unwrap()
            }
            Self::Redis(_) | Self::Cluster(_) => {
                Store::redis(&self.redis(), retention).await.unwrap()
            }
        }
    }

    pub(crate) fn redis(&self) -> RedisConfig {
        match self {
            Self::Embedded(_) => RedisConfig::default(),
            Self::Redis(server) => {
                RedisConfig { urls: vec![server.url()], ..RedisConfig::default() }
            }
            Self::Cluster(cluster) => RedisConfig {
                mode: RedisMode::Cluster,
                urls: cluster.urls(),
                partitions: 64,
                ..RedisConfig::default()
            },
        }
    }

    /// Forgets everything. No store of it may be open.
    pub(crate) async fn clear(&mut self) {
        match self {
            Self::Embedded(folder) => *folder = TestFolder::new("store"),
            Self::Redis(server) => server.clear().await,
            Self::Cluster(cluster) => cluster.clear().await,
        }
    }
}

/// Each test once on every store, one after the other on the same servers.
macro_rules! conformance {
    ($($test:path),* $(,)?) => {
        async fn all(backend: &mut Backend) {
            $(
                backend.clear().await;
                $test(backend).await;
            )*
        }
    };
}

conformance!(
    behaviour::callers_at_once_are_all_counted_once,
    behaviour::impressions_leave_the_version_alone,
    behaviour::logged_events_carry_the_version_after_them,
    behaviour::a_retraction_brings_back_what_it_pushed_out,
    behaviour::long_logs_come_in_pages_that_join,
    behaviour::a_user_comes_back_with_new_versions,
    behaviour::long_event_logs_come_in_pages_that_join,
);

#[tokio::test(flavor = "multi_thread")]
async fn embedded() {
    all(&mut Backend::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis() {
    all(&mut Backend::server().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster() {
    all(&mut Backend::cluster().await).await;
}
