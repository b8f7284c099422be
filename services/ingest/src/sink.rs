//! Writing to `feature`: in order, each write with the position that goes with it.

use std::time::{Duration, Instant};

use tonic::Code;
use tributary_mesh::{CallError, Client, ClientConfig, Deadline, Failure, call, request};
use tributary_proto::feature::v1::{
    ApplyChangesRequest, GetPositionRequest, feature_service_client::FeatureServiceClient,
};

use crate::{backoff::Backoff, change::Change, error::IngestError, metrics, position::Position};

/// Changes of one write.
pub(crate) const MOST: usize = 1_000;

/// A write of 1,000 changes to a store that syncs to disk.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A call holds up to 1,000 items of at most 64 kB.
const MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// The one writer of a source.
pub(crate) struct Sink {
    client: FeatureServiceClient<Client>,
    source: String,
    /// What `feature` has stored, as far as is known here.
    stored: Vec<u8>,
}

impl Sink {
    /// Waits for `feature` and asks for the position.
    pub(crate) async fn open(config: &ClientConfig, source: &str) -> Result<Self, IngestError> {
        let client = FeatureServiceClient::new(Client::new("feature", config)?)
            .max_encoding_message_size(MESSAGE_BYTES);
        let mut sink = Self { client, source: source.to_owned(), stored: Vec::new() };
        sink.stored = sink.position().await?;
        Ok(sink)
    }

    /// The position that is stored; `None` before the first one.
    pub(crate) fn stored(&self) -> Result<Option<Position>, IngestError> {
        match self.stored.as_slice() {
            [] => Ok(None),
            bytes => {
                let stored = Position::from_bytes(bytes);
                let position =
                    stored.map_err(|error| IngestError::Stored(self.source.clone(), error))?;
                Ok(Some(position))
            }
        }
    }

    /// Writes at most 1,000 changes, and with them `position`, or the one that is stored already
    /// where there is none. Waits for `feature` as long as it is away.
    pub(crate) async fn apply(
        &mut self,
        changes: &[Change],
        position: Option<&Position>,
    ) -> Result<(), IngestError> {
        let next = position.map_or_else(|| self.stored.clone(), Position::to_bytes);
        let message = ApplyChangesRequest {
            source: self.source.clone(),
            position: next.clone(),
            expected_position: self.stored.clone(),
            changes: changes.iter().map(Change::to_wire).collect(),
        };
        let started = Instant::now();
        let mut backoff = Backoff::up_to(LONGEST_PAUSE);
        loop {
            match self.send(message.clone()).await {
                Ok(()) => break,
                Err(error) if is_precondition(&error) => {
                    // An earlier attempt may have been written without an answer.
                    let stored = self.position().await?;
                    if stored == next {
                        break;
                    }
                    return Err(IngestError::Overtaken(self.source.clone(), describe(&stored)));
                }
                Err(error) => self.wait(error, &mut backoff).await?,
            }
        }
        metrics::written(started.elapsed());
        changes.iter().for_each(|change| metrics::change(change.kind()));
        self.stored = next;
        Ok(())
    }

    async fn send(&mut self, message: ApplyChangesRequest) -> Result<(), CallError> {
        let deadline = Deadline::after(PATIENCE);
        let sent = self.client.apply_changes(request(message, deadline));
        call("feature", deadline, sent).await?;
        Ok(())
    }

    async fn position(&mut self) -> Result<Vec<u8>, IngestError> {
        let mut backoff = Backoff::up_to(LONGEST_PAUSE);
        loop {
            let deadline = Deadline::after(PATIENCE);
            let message = GetPositionRequest { source: self.source.clone() };
            let asked = self.client.get_position(request(message, deadline));
            match call("feature", deadline, asked).await {
                Ok(answer) => return Ok(answer.position),
                Err(error) => self.wait(error, &mut backoff).await?,
            }
        }
    }

    /// Pauses after a failure that passes. A refusal does not.
    async fn wait(&self, error: CallError, backoff: &mut Backoff) -> Result<(), IngestError> {
        if is_refusal(&error) {
            return Err(IngestError::Refused(self.source.clone(), error));
        }
        metrics::retried();
        let pause = backoff.next_pause();
        tell(&error, pause);
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

fn tell(error: &(dyn std::error::Error + 'static), pause: Duration) {
    tracing::warn!(error, ?pause, "feature does not answer: waiting");
}

fn is_precondition(error: &CallError) -> bool {
    error.status().is_some_and(|status| status.code() == Code::FailedPrecondition)
}

/// Whether the same call would fail again.
fn is_refusal(error: &CallError) -> bool {
    let wrong = [Code::InvalidArgument, Code::Unimplemented, Code::OutOfRange, Code::NotFound];
    error.failure == Failure::Error
        && error.status().is_some_and(|status| wrong.contains(&status.code()))
}

fn describe(stored: &[u8]) -> String {
    match Position::from_bytes(stored) {
        Ok(position) => format!("{} by {}", position.binlog, position.writer),
        Err(_) => "something else".to_owned(),
    }
}
