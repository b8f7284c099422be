//! The connection to Redis: one that all calls share, made again where it is lost.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use deadpool_redis::redis::{
    self, AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue,
    IntoConnectionInfo, Pipeline, RedisError, RedisFuture, RedisResult, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr},
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use tokio::time::timeout;

use super::script::Invocation;
use crate::{OpenError, RedisConfig, RedisMode, store::StoreError};

pub(super) struct Link {
    source: Source,
    config: RedisConfig,
    /// The connection and its generation. Held for no longer than a clone takes.
    current: Mutex<(u64, Option<Connection>)>,
    /// Held while a connection is made, so that many calls make one.
    connecting: tokio::sync::Mutex<()>,
}

enum Source {
    Single(Client),
    /// A client that remembers which Sentinel answered; used by one call at a time.
    Sentinel(tokio::sync::Mutex<SentinelClient>),
    Cluster(ClusterClient),
}

#[derive(Clone)]
enum Connection {
    Node(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// What is asked of Redis. All keys of one request are in one slot.
pub(super) enum Request {
    Command(Cmd),
    Pipeline(Pipeline),
    Script(Invocation),
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("mode", &self.config.mode).finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(config: &RedisConfig) -> Result<Self, OpenError> {
        let source = source(config).map_err(|source| OpenError::Redis { source })?;
        Ok(Self {
            source,
            config: config.clone(),
            current: Mutex::new((0, None)),
            connecting: tokio::sync::Mutex::new(()),
        })
    }

    /// Sends a request and gives the answer, within the configured time. A connection that turns
    /// out to be lost is made again once; every request may be repeated.
    pub(super) async fn ask<T: FromRedisValue>(&self, request: Request) -> Result<T, StoreError> {
        let generation = self.held().map_or(0, |(generation, _)| generation);
        let answer = timeout(self.config.timeout, self.try_twice(&request)).await;
        match answer {
            Ok(answer) => answer.map_err(StoreError::from),
            Err(_elapsed) => {
                self.distrust(generation);
                Err(StoreError::Unreachable { source: None })
            }
        }
    }

    /// Waits until the configured number of replicas of Redis have what was written in the slot of
    /// `key`.
    pub(super) async fn await_replicas(&self, key: &str) -> Result<(), StoreError> {
        let wanted = self.config.wait_replicas;
        if wanted == 0 {
            return Ok(());
        }
        let (generation, mut connection) = self.connection().await?;
        let mut wait = redis::cmd("WAIT");
        // Less than the time-out of the answer, which says how many have it.
        wait.arg(wanted).arg((self.config.timeout / 2).as_millis().to_string());
        let waiting = timeout(self.config.timeout, connection.in_slot_of(wait, key)).await;
        let reached: usize = match waiting {
            Ok(Ok(reached)) => reached,
            Ok(Err(error)) => {
                self.discard(generation);
                return Err(error.into());
            }
            Err(_elapsed) => return Err(StoreError::Unreachable { source: None }),
        };
        match reached >= wanted {
            true => Ok(()),
            false => Err(StoreError::Replicas { reached, wanted }),
        }
    }

    async fn try_twice<T: FromRedisValue>(&self, request: &Request) -> RedisResult<T> {
        let (generation, mut connection) = self.connection().await?;
        match request.send(&mut connection).await {
            Err(error) if is_lost(&error) => {
                self.discard(generation);
                let (generation, mut connection) = self.connection().await?;
                let answer = request.send(&mut connection).await;
                if answer.as_ref().is_err_and(is_lost) {
                    self.discard(generation);
                }
                answer
            }
            answer => answer,
        }
    }

    async fn connection(&self) -> RedisResult<(u64, Connection)> {
        if let Some(held) = self.held() {
            return Ok(held);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(held) = self.held() {
            return Ok(held);
        }
        let connection = self.connect().await?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = (current.0 + 1, Some(connection.clone()));
        tracing::info!(mode = ?self.config.mode, "connected to redis");
        Ok((current.0, connection))
    }

    fn held(&self) -> Option<(u64, Connection)> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.1.clone().map(|connection| (current.0, connection))
    }

    /// Drops the connection of that generation, where nobody has done so before.
    fn discard(&self, generation: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == generation && current.1.take().is_some() {
            tracing::warn!("the connection to redis is lost");
        }
    }

    /// A silent server may be gone without a word. A Cluster's connection sees to that by itself,
    /// node by node.
    fn distrust(&self, generation: u64) {
        if self.config.mode != RedisMode::Cluster {
            self.discard(generation);
        }
    }

    async fn connect(&self) -> RedisResult<Connection> {
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.config.connect_timeout))
            .set_response_timeout(Some(self.config.timeout));
        Ok(match &self.source {
            Source::Single(client) => Connection::Node(
                client.get_multiplexed_async_connection_with_config(&settings).await?,
            ),
            Source::Sentinel(client) => {
                let mut client = client.lock().await;
                Connection::Node(client.get_async_connection_with_config(&settings).await?)
            }
            Source::Cluster(client) => Connection::Cluster(client.get_async_connection().await?),
        })
    }
}

fn source(config: &RedisConfig) -> RedisResult<Source> {
    Ok(match config.mode {
        RedisMode::Single => Source::Single(Client::open(config.urls[0].as_str())?),
        RedisMode::Cluster => {
            let builder = ClusterClientBuilder::new(config.urls.iter().map(String::as_str))
                .connection_timeout(config.connect_timeout)
                .response_timeout(config.timeout)
                .retries(8)
                .min_retry_wait(5)
                .max_retry_wait(100);
            Source::Cluster(builder.build()?)
        }
        RedisMode::Sentinel => {
            let addresses: Vec<ConnectionAddr> = config
                .urls
                .iter()
                .map(|url| Ok(url.as_str().into_connection_info()?.addr().clone()))
                .collect::<RedisResult<_>>()?;
            let kind = SentinelServerType::Master;
            let mut builder = SentinelClientBuilder::new(addresses, &config.master, kind)?;
            if !config.username.is_empty() {
                builder = builder.set_client_to_redis_username(&config.username);
            }
            if !config.password.is_empty() {
                builder = builder.set_client_to_redis_password(&config.password);
            }
            Source::Sentinel(tokio::sync::Mutex::new(builder.build()?))
        }
    })
}

/// Whether the connection is of no more use: closed, or to a server that is no longer the master.
fn is_lost(error: &RedisError) -> bool {
    error.is_connection_dropped()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        )
}

impl Request {
    async fn send<T: FromRedisValue>(&self, connection: &mut Connection) -> RedisResult<T> {
        match self {
            Self::Command(command) => command.query_async(connection).await,
            Self::Pipeline(pipeline) => pipeline.query_async(connection).await,
            Self::Script(invocation) => invocation.send(connection).await,
        }
    }
}

impl Connection {
    async fn in_slot_of(&mut self, command: Cmd, key: &str) -> RedisResult<usize> {
        match self {
            Self::Node(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => {
                let route = Route::with_key(key, SlotAddr::Master);
                let route = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route));
                Ok(redis::from_redis_value(connection.route_command(command, route).await?)?)
            }
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Node(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Node(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Node(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        let ours = matches!(
            error.kind(),
            ErrorKind::UnexpectedReturnType
                | ErrorKind::Client
                | ErrorKind::InvalidClientConfig
                | ErrorKind::Parse
                | ErrorKind::Server(
                    ServerErrorKind::ResponseError
                        | ServerErrorKind::ExecAbort
                        | ServerErrorKind::CrossSlot
                        | ServerErrorKind::NoScript
                        | ServerErrorKind::NoPerm
                )
        );
        let source = Arc::new(error);
        match ours {
            true => Self::Redis(source),
            false => Self::Unreachable { source: Some(source) },
        }
    }
}

/// Between two tries of what Redis did not answer.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
