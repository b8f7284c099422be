//! Asks a process over gRPC whether it does its work.

use std::time::Duration;

use tonic::transport::Endpoint;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// True where the process on `port` says that `service` is being served.
pub(super) async fn is_serving(port: u16, service: &str) -> bool {
    match check(port, service).await {
        Ok(status) => status == ServingStatus::Serving,
        Err(error) => {
            tracing::debug!(port, service, %error, "health check failed");
            false
        }
    }
}

async fn check(port: u16, service: &str) -> Result<ServingStatus, Box<dyn std::error::Error>> {
    let limit = Duration::from_secs(1);
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
    let channel = endpoint.connect_timeout(limit).timeout(limit).connect().await?;
    let request = HealthCheckRequest { service: service.to_owned() };
    let response = HealthClient::new(channel).check(request).await?;
    Ok(response.into_inner().status())
}
