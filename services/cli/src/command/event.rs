use serde::Serialize;
use tributary_domain::{Behaviour, Event, ItemId, Timestamp, UserId};
use tributary_proto::gateway::v1::{
    RecordEventsRequest, gateway_service_client::GatewayServiceClient,
};

use crate::{
    CliError,
    arguments::{EventOptions, MeshAddresses},
    connection::Connection,
    output::Output,
};

#[derive(Debug, Serialize)]
struct Recorded {
    recorded: u32,
    duplicates: u32,
}

/// Records behaviour through the gateway.
pub(crate) async fn event(
    mesh: &MeshAddresses,
    options: EventOptions,
    output: &Output,
) -> Result<(), CliError> {
    let gateway = Connection::new("gateway", &mesh.gateway, mesh.timeout)?;
    let events = events(&options).map(Into::into).collect();
    let mut client = GatewayServiceClient::new(gateway.client());
    let request = gateway.request(RecordEventsRequest { events });
    let response = gateway.answer(client.record_events(request).await)?;
    let view = Recorded { recorded: response.recorded, duplicates: response.duplicates };
    output.show(&view, |view| {
        format!("{} recorded, {} known before", view.recorded, view.duplicates)
    });
    Ok(())
}

/// One event an item, a millisecond apart, so that their order is kept.
fn events(options: &EventOptions) -> impl Iterator<Item = Event> {
    let start = options.time_ms.unwrap_or_else(|| Timestamp::now().0);
    let dwell_ms = u32::try_from(options.dwell.as_millis()).unwrap_or(u32::MAX);
    let (user, action) = (UserId(options.user), options.action);
    (start..).zip(&options.items).map(move |(time, item)| Event {
        user,
        behaviour: Behaviour { item: ItemId(*item), action, time: Timestamp(time), dwell_ms },
    })
}
