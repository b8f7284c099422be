//! How the processes of the mesh talk to each other: one client stack, one deadline, and the one
//! table that turns errors into gRPC and HTTP status.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use tributary_mesh::{Client, ClientConfig, Deadline, call, request};
//! # use tributary_proto::feature::v1::{
//! #     GetUserContextRequest, feature_service_client::FeatureServiceClient};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("feature", &ClientConfig::at("http://feature:7001"))?;
//! let mut feature = FeatureServiceClient::new(client);
//! let deadline = Deadline::after(Duration::from_millis(50));
//! let message = request(GetUserContextRequest { user_id: 7 }, deadline);
//! let answer = call("feature", deadline, feature.get_user_context(message)).await?;
//! # drop(answer); Ok(()) }
//! ```

mod call;
mod client;
mod deadline;
mod error;
mod metrics;
pub mod trace;

pub use call::{CallError, Failure, call, request};
pub use client::{Client, ClientConfig, ClientError};
pub use deadline::Deadline;
pub use error::{Classify, Kind, status};
