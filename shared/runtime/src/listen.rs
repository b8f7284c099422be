use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use tokio::net::TcpListener;

use crate::ServerConfig;

/// The bound sockets of a process.
#[derive(Debug)]
pub struct Listeners {
    pub grpc: TcpListener,
    pub metrics: Option<TcpListener>,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (configuration key {key})")]
pub struct ListenError {
    address: SocketAddr,
    key: &'static str,
    source: io::Error,
}

impl Listeners {
    pub async fn bind(config: &ServerConfig) -> Result<Self, ListenError> {
        let grpc = bind(config.listen, "server.listen").await?;
        let metrics = match config.metrics_listen {
            Some(address) => Some(bind(address, "server.metrics_listen").await?),
            None => None,
        };
        Ok(Self { grpc, metrics })
    }

    /// A free port of the loopback interface and no metrics, for tests.
    ///
    /// # Panics
    /// Where there is no free port.
    pub async fn ephemeral() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let grpc = bind(address, "server.listen").await.expect("a free port on loopback");
        Self { grpc, metrics: None }
    }

    /// Where the gRPC services answer.
    ///
    /// # Panics
    /// Never: the socket is bound.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc.local_addr().expect("a bound socket has an address")
    }
}

async fn bind(address: SocketAddr, key: &'static str) -> Result<TcpListener, ListenError> {
    let error = |source| ListenError { address, key, source };
    TcpListener::bind(address).await.map_err(error)
}
