use std::{future::Future, pin::pin};

use futures::future::{Either, select};
use tributary_runtime::{ServeError, Server};

/// Runs a channel's server to its end, and `beside` with it: reports, commits, computations that
/// live as long as the server. Where `beside` ends first, the server goes on.
pub async fn serve(server: Server, beside: impl Future<Output = ()>) -> Result<(), ServeError> {
    match select(pin!(server.run()), pin!(beside)).await {
        Either::Left((served, _)) => served,
        Either::Right(((), serving)) => serving.await,
    }
}
