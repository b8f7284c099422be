//! Serves the gRPC services of a process, and ends in good order.

use std::{convert::Infallible, time::Duration};

use http::{Request, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    body::Body,
    server::NamedService,
    service::RoutesBuilder,
    transport::{self, server::TcpIncoming},
};
use tonic_health::pb::health_server::HealthServer;
use tower::Service;

use crate::{Health, Listeners, ServerConfig, health::HealthService, reflection};

mod exposition;
mod observe;

const KEEPALIVE: Duration = Duration::from_secs(30);
const STREAMS_PER_CONNECTION: u32 = 4_096;

/// A server that could not start or broke.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the gRPC server failed")]
    Transport(#[source] transport::Error),
    #[error("the descriptors for reflection are broken")]
    Reflection(#[source] tonic_reflection::server::Error),
}

/// The gRPC server of a process: the services added to it, health, reflection, metrics.
pub struct Server {
    config: ServerConfig,
    listeners: Listeners,
    shutdown: CancellationToken,
    health: Health,
    routes: RoutesBuilder,
    services: Vec<&'static str>,
}

impl Server {
    /// A server that drains once `shutdown` is cancelled.
    pub fn new(config: &ServerConfig, listeners: Listeners, shutdown: CancellationToken) -> Self {
        Self {
            config: config.clone(),
            listeners,
            shutdown,
            health: Health::starting(),
            routes: RoutesBuilder::default(),
            services: Vec::new(),
        }
    }

    /// A handle to tell when the process is ready; it is not before it says so.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Adds a generated service.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "nobody takes a server for a number")]
    pub fn add<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.services.push(S::NAME);
        self.routes.add_service(service);
        self
    }

    /// Serves until the shutdown, then says "not serving", lets running calls end for as long as
    /// the configuration grants, and returns.
    pub async fn run(self) -> Result<(), ServeError> {
        let Self { config, listeners, shutdown, health, mut routes, services } = self;
        let names = services.iter().map(|name| (*name).to_owned());
        routes.add_service(HealthServer::new(HealthService::new(health.clone(), names)));
        if config.reflection {
            reflection::add(&mut routes, &services).map_err(ServeError::Reflection)?;
        }
        let drain = async {
            shutdown.cancelled().await;
            health.draining();
            tracing::info!(drain = ?config.drain, "draining");
        };
        let serve = transport::Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .max_concurrent_streams(STREAMS_PER_CONNECTION)
            .layer(observe::ObserveLayer)
            .serve_with_incoming_shutdown(routes.routes(), incoming(listeners.grpc), drain);
        tokio::select! {
            served = serve => served.map_err(ServeError::Transport),
            () = exposition::run(listeners.metrics) => Ok(()),
            () = overdue(&shutdown, config.drain) => {
                tracing::warn!(drain = ?config.drain, "calls still running are cut off");
                Ok(())
            }
        }
    }
}

fn incoming(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true))
}

async fn overdue(shutdown: &CancellationToken, drain: Duration) {
    shutdown.cancelled().await;
    tokio::time::sleep(drain).await;
}
