//! Calls to the mesh: one address, one deadline, errors that say what to do.

use std::time::Duration;

use tonic::{Code, Response, Status};
use tributary_mesh::{Client, ClientConfig, Deadline};

use crate::CliError;

/// One upstream of the command line.
#[derive(Clone)]
pub(crate) struct Connection {
    upstream: &'static str,
    address: String,
    timeout: Duration,
    client: Client,
}

impl Connection {
    pub(crate) fn new(
        upstream: &'static str,
        address: &str,
        timeout: Duration,
    ) -> Result<Self, CliError> {
        let client = Client::new(upstream, &ClientConfig::at(address))
            .map_err(|error| CliError::Address(address.to_owned(), error))?;
        Ok(Self { upstream, address: address.to_owned(), timeout, client })
    }

    /// The transport to build a generated client on.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// A request that carries the deadline.
    pub(crate) fn request<T>(&self, message: T) -> tonic::Request<T> {
        tributary_mesh::request(message, Deadline::after(self.timeout))
    }

    /// Unwraps an answer, or says who refused and why.
    pub(crate) fn answer<T>(&self, answer: Result<Response<T>, Status>) -> Result<T, CliError> {
        answer.map(Response::into_inner).map_err(|status| CliError::Refused {
            upstream: self.upstream,
            address: self.address.clone(),
            code: status.code(),
            message: status.message().to_owned(),
            advice: advice(status.code()),
        })
    }
}

fn advice(code: Code) -> &'static str {
    match code {
        Code::Unavailable => " (is the mesh running? `make up` starts one)",
        Code::DeadlineExceeded => " (a longer --timeout may help)",
        _ => "",
    }
}
