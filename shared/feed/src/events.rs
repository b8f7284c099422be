use tokio_util::sync::CancellationToken;
use tonic::{Response, Status, Streaming};
use tributary_domain::{Event, Gender};
use tributary_mesh::Client;
use tributary_proto::feature::v1::{
    WatchEventsRequest, WatchEventsResponse, feature_service_client::FeatureServiceClient,
};

use crate::{
    FollowError, Follower,
    follow::{Batch, Log, follow},
};

/// An event with the segment its user was in when it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentedEvent {
    pub event: Event,
    /// Years; `None` where it is not known.
    pub age: Option<u8>,
    pub gender: Option<Gender>,
}

/// Takes the events of all users.
pub trait EventSink: Send + 'static {
    /// Applies events in the order they were recorded, which need not be that of their times. May
    /// block: it runs off the async workers.
    fn apply(&mut self, events: &[SegmentedEvent]);

    /// What follows does not join what was applied (the log was cut, or the store replaced):
    /// start from nothing.
    fn restart(&mut self);
}

/// Follows the event log from the oldest event it holds, and for as long as the follower lives.
pub fn follow_events(
    client: Client,
    sink: impl EventSink,
    shutdown: CancellationToken,
) -> Follower {
    follow(client, EventLog(sink), shutdown)
}

struct EventLog<S>(S);

impl<S: EventSink> Log for EventLog<S> {
    const NAME: &'static str = "events";
    type Message = WatchEventsResponse;
    type Entry = SegmentedEvent;

    async fn open(
        client: &mut FeatureServiceClient<Client>,
        after: u64,
    ) -> Result<Response<Streaming<WatchEventsResponse>>, Status> {
        client.watch_events(WatchEventsRequest { after }).await
    }

    fn decode(message: WatchEventsResponse) -> Result<Batch<SegmentedEvent>, FollowError> {
        proto::batch(message)
    }

    fn restart(&mut self) {
        self.0.restart();
    }

    fn apply(&mut self, entries: &[SegmentedEvent]) {
        self.0.apply(entries);
    }
}

mod proto {
    use tributary_domain::{Event, FieldError, gender_from_wire, prefixed};
    use tributary_proto::feature::v1 as wire;

    use super::SegmentedEvent;
    use crate::{FollowError, follow::Batch};

    pub(super) fn batch(
        message: wire::WatchEventsResponse,
    ) -> Result<Batch<SegmentedEvent>, FollowError> {
        let wire::WatchEventsResponse { events, head, truncated } = message;
        let mut batch = Batch::new(head, truncated);
        for logged in events {
            let sequence = logged.sequence;
            let entry =
                segmented(logged).map_err(|source| FollowError::Entry { sequence, source })?;
            batch.push(sequence, entry)?;
        }
        Ok(batch)
    }

    fn segmented(logged: wire::LoggedEvent) -> Result<SegmentedEvent, FieldError> {
        let wire::LoggedEvent {
            sequence: _,
            event,
            user_age,
            user_gender,
            served: _,
            user_version: _,
        } = logged;
        let event = event.ok_or_else(|| FieldError::new("event", "must be given"))?;
        let age = u8::try_from(user_age)
            .map_err(|_| FieldError::new("user_age", format_args!("{user_age} is over 255")))?;
        Ok(SegmentedEvent {
            event: Event::try_from(event).map_err(prefixed("event"))?,
            age: (age != 0).then_some(age),
            gender: gender_from_wire(user_gender)?,
        })
    }
}
