use super::*;
use crate::{fakes, page_token::Page};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn tokens() -> Tokens {
    Tokens::with_secret(b"0123456789abcdef", Duration::from_secs(60))
}

fn good() -> wire::RecommendRequest {
    wire::RecommendRequest { user_id: 7, size: 20, ..Default::default() }
}

fn overridden(overrides: wire::Overrides) -> wire::RecommendRequest {
    wire::RecommendRequest { overrides: Some(overrides), ..good() }
}

fn weighted(name: &str, weight: u32) -> wire::Overrides {
    let weights = HashMap::from([(name.to_owned(), weight)]);
    wire::Overrides { weights, ..Default::default() }
}

fn only(names: &[&str]) -> wire::Overrides {
    let channels = names.iter().map(ToString::to_string).collect();
    wire::Overrides { channels, ..Default::default() }
}

fn decode(message: wire::RecommendRequest) -> Result<(Request, Option<Duration>), FieldError> {
    recommend(message, &fakes::config(), &tokens(), NOW)
}

#[test]
fn refusals_name_the_field() {
    let theta = |theta| wire::Overrides { theta: Some(theta), ..Default::default() };
    let all_zero = wire::Overrides {
        weights: fakes::config().channel.iter().map(|one| (one.name.clone(), 0)).collect(),
        ..Default::default()
    };
    for (message, field) in [
        (wire::RecommendRequest { user_id: 0, ..good() }, "user_id"),
        (wire::RecommendRequest { size: 0, ..good() }, "size"),
        (wire::RecommendRequest { size: 501, ..good() }, "size"),
        (wire::RecommendRequest { scene: "Home".into(), ..good() }, "scene"),
        (wire::RecommendRequest { scene: "s".repeat(101), ..good() }, "scene"),
        (wire::RecommendRequest { deadline_ms: 10_001, ..good() }, "deadline_ms"),
        (wire::RecommendRequest { page_token: "rubbish".into(), ..good() }, "page_token"),
        (overridden(theta(1.0)), "overrides.theta"),
        (overridden(theta(-0.1)), "overrides.theta"),
        (overridden(theta(f32::NAN)), "overrides.theta"),
        (overridden(only(&["trending", "nope"])), "overrides.channels[1]"),
        (overridden(weighted("nope", 1)), "overrides.weights[nope]"),
        (overridden(weighted("trending", 101)), "overrides.weights[trending]"),
        (overridden(all_zero), "overrides.weights"),
    ] {
        assert_eq!(decode(message).unwrap_err().field, field);
    }
}

#[test]
fn limits_are_accepted() {
    for size in [1, 500] {
        let (request, deadline) = decode(wire::RecommendRequest { size, ..good() }).unwrap();
        assert_eq!((request.size, deadline), (usize::try_from(size).unwrap(), None));
        assert_eq!(request.scene, "home");
    }
    let scene = "a-z_0".repeat(20);
    let message = wire::RecommendRequest { scene: scene.clone(), deadline_ms: 10_000, ..good() };
    let (request, deadline) = decode(message).unwrap();
    assert_eq!((request.scene, deadline), (scene, Some(Duration::from_secs(10))));
}

#[test]
fn overrides_choose_and_weigh_channels() {
    let asked = |overrides| {
        let (request, _) = decode(overridden(overrides)).unwrap();
        request.asked.iter().map(|one| (one.channel, one.weight)).collect::<Vec<_>>()
    };
    assert_eq!(asked(wire::Overrides::default()), [(0, 1), (1, 1)]);
    assert_eq!(asked(only(&["trending"])), [(1, 1)]);
    assert_eq!(asked(weighted("personal", 5)), [(0, 5), (1, 1)]);
    assert_eq!(asked(weighted("personal", 0)), [(1, 1)]);
}

#[test]
fn a_token_brings_what_was_served() {
    let served = vec![ItemId(3), ItemId(9)];
    let page = Page { user: UserId(7), scene: "home".into(), served: served.clone() };
    let page_token = tokens().issue(&page, NOW);
    let message = wire::RecommendRequest { page_token: page_token.clone(), ..good() };
    assert_eq!(decode(message).unwrap().0.served, served);
    let foreign = wire::RecommendRequest { page_token, user_id: 8, ..good() };
    let error = decode(foreign).unwrap_err();
    assert_eq!((&*error.field, &*error.reason), ("page_token", "belongs to another user"));
}

#[test]
fn explain_and_events_are_checked() {
    let good =
        wire::ExplainRequest { user_id: 7, size: 20, item_ids: vec![1], ..Default::default() };
    let field = |message| explain(message, &fakes::config(), NOW).unwrap_err().field;
    assert!(explain(good.clone(), &fakes::config(), NOW).is_ok());
    assert_eq!(field(wire::ExplainRequest { item_ids: vec![], ..good.clone() }), "item_ids");
    assert_eq!(field(wire::ExplainRequest { item_ids: vec![1; 101], ..good.clone() }), "item_ids");
    assert_eq!(field(wire::ExplainRequest { item_ids: vec![1, 0], ..good.clone() }), "item_ids[1]");
    assert_eq!(field(wire::ExplainRequest { size: 0, ..good }), "size");

    let event = tributary_proto::entity::v1::Event {
        user_id: 1,
        item_id: 2,
        action: 4,
        time_ms: 5,
        dwell_ms: 0,
    };
    let field = |list| events(wire::RecordEventsRequest { events: list }).unwrap_err().field;
    assert_eq!(field(vec![]), "events");
    assert_eq!(field(vec![event; 1_001]), "events");
    let bad = tributary_proto::entity::v1::Event { item_id: 0, ..event };
    assert_eq!(field(vec![event, bad]), "events[1].item_id");
}
