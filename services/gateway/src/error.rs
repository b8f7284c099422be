//! What a caller of the gateway may be told.

use tonic::Status;
use tributary_domain::FieldError;
use tributary_mesh::{CallError, status};

#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The request is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Events could not be recorded. Recommend has no such error: it degrades.
    #[error(transparent)]
    Upstream(#[from] CallError),
}

impl From<GatewayError> for Status {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Field(error) => status(&error),
            GatewayError::Upstream(error) => status(&error),
        }
    }
}
