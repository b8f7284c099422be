//! Answers `/metrics` in Prometheus' text format.

use std::{
    convert::Infallible,
    future::{pending, ready},
};

use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use tokio::{net::TcpListener, time::interval};
use tonic::{body::Body, transport};
use tower::service_fn;

use crate::metrics::{UPKEEP, recorder};

/// Serves on `listener`, if there is one, and keeps the recorder small. Never returns: metrics are
/// of use until the process ends, and a broken listener must not end it.
pub(super) async fn run(listener: Option<TcpListener>) {
    tokio::join!(upkeep(), serve(listener));
}

async fn upkeep() {
    let mut ticks = interval(UPKEEP);
    loop {
        ticks.tick().await;
        if let Some(recorder) = recorder() {
            recorder.run_upkeep();
        }
    }
}

async fn serve(listener: Option<TcpListener>) {
    if let Some(listener) = listener {
        let pages = service_fn(|request| ready(Ok::<_, Infallible>(page(&request))));
        let server = transport::Server::builder().accept_http1(true);
        let served = server.serve_with_incoming(pages, super::incoming(listener)).await;
        tracing::error!(?served, "metrics are no longer served");
    }
    pending().await
}

fn page(request: &Request<Body>) -> Response<Body> {
    let (status, text) = match (request.uri().path(), recorder()) {
        ("/metrics", Some(recorder)) => (StatusCode::OK, recorder.render()),
        ("/metrics", None) => (StatusCode::SERVICE_UNAVAILABLE, "no recorder\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "try /metrics\n".to_owned()),
    };
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")
        .body(Body::new(text))
        .expect("the parts are constants")
}
