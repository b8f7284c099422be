//! The limits of the contract, at the gateway and at `feature`.

use anyhow::{Result, ensure};
use tonic::Code;
use tributary_e2e::Mesh;
use tributary_proto::{
    entity::v1::{Action, Event},
    gateway::v1::{Overrides, RecommendRequest, RecordEventsRequest},
};

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_limits_name_the_field() -> Result<()> {
    let mesh = Mesh::start()?;
    let mut gateway = mesh.gateway().await?;
    let good = RecommendRequest { user_id: 196, size: 10, ..RecommendRequest::default() };
    let overrides = |overrides| Some(overrides);
    let rows = [
        (RecommendRequest { user_id: 0, ..good.clone() }, "user_id"),
        (RecommendRequest { size: 0, ..good.clone() }, "size"),
        (RecommendRequest { size: 501, ..good.clone() }, "size"),
        (RecommendRequest { deadline_ms: 10_001, ..good.clone() }, "deadline_ms"),
        (RecommendRequest { scene: "Home!".into(), ..good.clone() }, "scene"),
        (RecommendRequest { page_token: "x".into(), ..good.clone() }, "page_token"),
        (
            RecommendRequest {
                overrides: overrides(Overrides { theta: Some(1.5), ..Overrides::default() }),
                ..good.clone()
            },
            "overrides.theta",
        ),
        (
            RecommendRequest {
                overrides: overrides(Overrides {
                    channels: vec!["nonsense".into()],
                    ..Overrides::default()
                }),
                ..good.clone()
            },
            "overrides.channels[0]",
        ),
    ];
    for (request, field) in rows {
        let refused = gateway.recommend(request).await.unwrap_err();
        ensure!(refused.code() == Code::InvalidArgument, "{field}: {refused}");
        ensure!(refused.message().contains(field), "{field}: {refused}");
    }
    events_beyond_the_limits(&mesh).await
}

async fn events_beyond_the_limits(mesh: &Mesh) -> Result<()> {
    let mut gateway = mesh.gateway().await?;
    let good = Event {
        user_id: 1,
        item_id: 1,
        action: Action::Click.into(),
        time_ms: 1_700_000_000_000,
        dwell_ms: 0,
    };
    let rows = [
        (Vec::new(), "events"),
        (vec![good; 1_001], "events"),
        (vec![good, Event { item_id: 0, ..good }], "events[1].item_id"),
        (vec![Event { action: 0, ..good }], "events[0].action"),
        (vec![Event { action: 99, ..good }], "events[0].action"),
        (vec![Event { time_ms: 0, ..good }], "events[0].time_ms"),
        (vec![Event { time_ms: i64::MAX, ..good }], "events[0].time_ms"),
    ];
    for (events, field) in rows {
        let refused = gateway.record_events(RecordEventsRequest { events }).await.unwrap_err();
        ensure!(refused.code() == Code::InvalidArgument, "{field}: {refused}");
        ensure!(refused.message().contains(field), "{field}: {refused}");
    }
    Ok(())
}
