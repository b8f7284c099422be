//! Asks a process over gRPC whether it does its work.

use std::time::Duration;

use tonic::transport::Endpoint;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// Where a channel names the bundle that it could not use.
const REFUSED: &str = "x-tributary-refused";

/// What a process says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Serving,
    /// It runs, and the published bundle, the one named, is of no use to it.
    Refuses(String),
    /// Not serving yet, or not to be reached.
    Waiting,
}

/// Asks the process on `port` about `service`.
pub(super) async fn ask(port: u16, service: &str) -> Verdict {
    match check(port, service).await {
        Ok(verdict) => verdict,
        Err(error) => {
            tracing::debug!(port, service, %error, "health check failed");
            Verdict::Waiting
        }
    }
}

async fn check(port: u16, service: &str) -> Result<Verdict, Box<dyn std::error::Error>> {
    let limit = Duration::from_secs(1);
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
    let channel = endpoint.connect_timeout(limit).timeout(limit).connect().await?;
    let request = HealthCheckRequest { service: service.to_owned() };
    let response = HealthClient::new(channel).check(request).await?;
    if response.get_ref().status() == ServingStatus::Serving {
        return Ok(Verdict::Serving);
    }
    let refused = response.metadata().get(REFUSED).map(|bundle| bundle.to_str());
    Ok(refused.transpose()?.map_or(Verdict::Waiting, |bundle| Verdict::Refuses(bundle.to_owned())))
}
