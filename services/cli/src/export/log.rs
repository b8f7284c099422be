//! The two logs of `feature`, from their beginning to where they end now.

use tonic::{Request, Streaming};
use tributary_domain::{Event, Item, ItemChange, Served};
use tributary_proto::feature::v1::{
    LoggedEvent, WatchEventsRequest, WatchEventsResponse, WatchItemsRequest, WatchItemsResponse,
    feature_service_client::FeatureServiceClient,
};

use crate::{CliError, connection::Connection};

/// One message holds up to 1,000 items of at most 64 kB.
const MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// An entry of the event log.
pub(super) struct Logged {
    pub(super) sequence: u64,
    pub(super) event: Event,
    pub(super) served: Option<Served>,
    pub(super) user_version: u64,
}

/// Hands over the events of the log in their order; `seen` also gets the log's last number. Gives
/// whether the log no longer begins with the first event.
pub(super) async fn events(
    feature: &Connection,
    mut take: impl FnMut(Logged, u64) -> Result<(), CliError>,
) -> Result<bool, CliError> {
    // A stream has no deadline: it ends where the log does.
    let request = Request::new(WatchEventsRequest { after: 0 });
    let mut client = client(feature);
    let mut stream = feature.answer(client.watch_events(request).await)?;
    let mut cut = false;
    while let Some(message) = next(feature, &mut stream).await? {
        let WatchEventsResponse { events, head, truncated } = message;
        cut |= truncated;
        let last = events.last().map(|event| event.sequence);
        for event in events {
            take(logged(event)?, head)?;
        }
        if last.is_none_or(|last| last >= head) {
            break;
        }
    }
    Ok(cut)
}

/// The items that are in the catalogue, in the order of their last change.
pub(super) async fn items(
    feature: &Connection,
    mut take: impl FnMut(Item) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let request = Request::new(WatchItemsRequest { after: 0 });
    let mut client = client(feature);
    let mut stream = feature.answer(client.watch_items(request).await)?;
    while let Some(message) = next(feature, &mut stream).await? {
        let WatchItemsResponse { changes, head, user_deletions: _ } = message;
        let last = changes.last().map(|change| change.sequence);
        for change in changes {
            let change = change.change.ok_or_else(|| absent("change"))?;
            match ItemChange::try_from(change).map_err(invalid)? {
                ItemChange::Upserted(item) => take(item)?,
                ItemChange::Deleted(_) => {}
            }
        }
        if last.is_none_or(|last| last >= head) {
            break;
        }
    }
    Ok(())
}

fn client(feature: &Connection) -> FeatureServiceClient<tributary_mesh::Client> {
    FeatureServiceClient::new(feature.client()).max_decoding_message_size(MESSAGE_BYTES)
}

async fn next<T>(feature: &Connection, stream: &mut Streaming<T>) -> Result<Option<T>, CliError> {
    let message = stream.message().await.map(tonic::Response::new);
    match message {
        Ok(message) => Ok(message.into_inner()),
        Err(status) => feature.answer(Err(status)),
    }
}

fn logged(entry: LoggedEvent) -> Result<Logged, CliError> {
    let LoggedEvent { sequence, event, user_age: _, user_gender: _, served, user_version } = entry;
    let event = Event::try_from(event.ok_or_else(|| absent("event"))?).map_err(invalid)?;
    let served = served.map(Served::try_from).transpose().map_err(invalid)?;
    Ok(Logged { sequence, event, served, user_version })
}

fn absent(field: &str) -> CliError {
    CliError::Data(format!("feature sent an entry of the log without its {field}"))
}

fn invalid(error: tributary_domain::FieldError) -> CliError {
    CliError::Data(format!("feature sent an entry of the log that is not valid: {error}"))
}
