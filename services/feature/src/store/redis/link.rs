//! The connection to Redis: one that all calls share, made again where it is lost.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use deadpool_redis::redis::{
    self, AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo, Pipeline, RedisError, RedisFuture, RedisResult, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{Shared, script::Invocation};
use crate::{OpenError, RedisConfig, RedisMode, store::StoreError};

/// Nodes of a Cluster that are gone without a word hold up a new connection for so long at most.
const RENEWAL: Duration = Duration::from_secs(10);

pub(super) struct Link {
    source: Source,
    config: RedisConfig,
    /// The connection and its generation. Held for no longer than a clone takes.
    current: Mutex<(u64, Option<Connection>)>,
    /// Held while a connection is made, so that many calls make one.
    connecting: tokio::sync::Mutex<()>,
    /// A node of the Cluster did not answer in time.
    silent: Arc<Notify>,
    /// For writes that wait for replicas: a server holds up all that comes after them on the same
    /// connection.
    waiting: Option<Box<Self>>,
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
    /// A script, then the number of replicas that have what it wrote. Both go over one connection,
    /// or that number would be about something else.
    Awaited(Invocation, Cmd),
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("mode", &self.config.mode).finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(config: &RedisConfig) -> Result<Self, OpenError> {
        let silent = Arc::new(Notify::new());
        let mut link = Self::one(config, Arc::clone(&silent))?;
        if link.awaits_replicas() {
            link.waiting = Some(Box::new(Self::one(config, silent)?));
        }
        Ok(link)
    }

    fn one(config: &RedisConfig, silent: Arc<Notify>) -> Result<Self, OpenError> {
        let source = source(config).map_err(|source| OpenError::Redis { source })?;
        Ok(Self {
            source,
            config: config.clone(),
            current: Mutex::new((0, None)),
            connecting: tokio::sync::Mutex::new(()),
            silent,
            waiting: None,
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

    /// Whether writes are answered only when replicas have them.
    pub(super) fn awaits_replicas(&self) -> bool {
        self.config.wait_replicas > 0
    }

    /// Runs a script that writes. The answer comes when the configured number of replicas have what
    /// was written in its slot, by whomever.
    pub(super) async fn write<T: FromRedisValue>(
        &self,
        script: Invocation,
    ) -> Result<T, StoreError> {
        let Some(link) = &self.waiting else { return self.ask(Request::Script(script)).await };
        let wanted = self.config.wait_replicas;
        let mut wait = redis::cmd("WAIT");
        // Less than the time-out of the answer, which says how many have it; 0 would be for ever.
        let patience = (self.config.timeout / 2).as_millis().max(1);
        wait.arg(wanted).arg(patience.to_string());
        let (answer, reached): (T, usize) = link.ask(Request::Awaited(script, wait)).await?;
        match reached >= wanted {
            true => Ok(answer),
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

    /// A silent server may be gone without a word. The other nodes of a Cluster are well, so that
    /// its connection stays until there is a new one.
    fn distrust(&self, generation: u64) {
        match self.config.mode {
            RedisMode::Cluster => self.silent.notify_one(),
            RedisMode::Single | RedisMode::Sentinel => self.discard(generation),
        }
    }

    /// A connection of its own knows the Cluster as it is now.
    async fn replace(&self) {
        match timeout(RENEWAL, self.connect()).await {
            Ok(Ok(connection)) => {
                let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
                *current = (current.0 + 1, Some(connection));
                tracing::info!("connected to the cluster anew: a node was silent");
            }
            Ok(Err(error)) => tracing::warn!(%error, "the cluster cannot be connected to anew"),
            Err(_elapsed) => tracing::warn!("the cluster cannot be connected to anew in time"),
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
            let sentinels: Vec<ConnectionInfo> = config
                .urls
                .iter()
                .map(|url| url.as_str().into_connection_info())
                .collect::<RedisResult<_>>()?;
            let addresses = sentinels.iter().map(|sentinel| sentinel.addr().clone());
            let kind = SentinelServerType::Master;
            let mut builder = SentinelClientBuilder::new(addresses, &config.master, kind)?;
            let first = sentinels[0].redis_settings();
            if let Some(username) = first.username() {
                builder = builder.set_client_to_sentinel_username(username);
            }
            if let Some(password) = first.password() {
                builder = builder.set_client_to_sentinel_password(password);
            }
            builder = builder.set_client_to_redis_db(first.db());
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
            Self::Awaited(invocation, wait) => invocation.send_with(wait, connection).await,
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

/// Makes a new connection to a Cluster where a node was silent, for as long as the store is open:
/// the one at hand takes such a node for slow and asks it again, also when another one has taken its
/// place.
pub(super) async fn renew(shared: Arc<Shared>) {
    loop {
        shared.link.silent.notified().await;
        for link in [Some(&shared.link), shared.link.waiting.as_deref()].into_iter().flatten() {
            link.replace().await;
        }
        // Calls that were under way may still run into the silent node.
        sleep(shared.link.config.timeout).await;
    }
}

/// Between two tries of what Redis did not answer.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
