use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use http::{Request, Response};
use tokio::runtime::{Builder, Runtime};
use tonic::{
    body::Body,
    server::NamedService,
    service::Routes,
    transport::{Channel, Server, server::TcpIncoming},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::Service;

use crate::wait_until;

/// A gRPC server with one service, on its own threads: killing it drops its connections and
/// running calls, as the end of a process would.
pub struct FakeServer {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl FakeServer {
    /// Serves on a free port of the loopback interface.
    pub fn start<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), service)
    }

    /// Serves on that address, such as that of a server killed before.
    pub fn start_at<S>(address: SocketAddr, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        let listener = bind(address);
        let address = listener.local_addr().expect("a bound socket has an address");
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        runtime.spawn(serve(listener, Routes::new(service)));
        Self { address, runtime: Some(runtime) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://host:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it at once. Its port refuses connections when this returns.
    pub fn kill(mut self) {
        self.end();
    }

    /// A runtime must not be waited for on a worker of another one.
    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            let ending = thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5)));
            ending.join().expect("a runtime that ends");
        }
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.end();
    }
}

fn bind(address: SocketAddr) -> TcpListener {
    let listener = TcpListener::bind(address).expect("the address is free");
    listener.set_nonblocking(true).expect("a socket can be made non-blocking");
    listener
}

async fn serve(listener: TcpListener, routes: Routes) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a non-blocking listener");
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let served = Server::builder().serve_with_incoming(routes, incoming).await;
    served.expect("the fake server serves");
}

/// A plain channel to `address`, connected when it is first used.
pub fn channel(address: SocketAddr) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{address}"));
    endpoint.expect("an address is an authority").connect_lazy()
}

/// Whether the process at `address` says that `service` serves; "" is the process itself.
pub async fn is_serving(address: SocketAddr, service: &str) -> bool {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel(address)).check(request).await;
    answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving)
}

/// Waits until it does.
#[track_caller]
pub fn wait_until_serving(
    address: SocketAddr,
    service: &str,
    timeout: Duration,
) -> impl Future<Output = ()> {
    wait_until(move || is_serving(address, service), timeout)
}
