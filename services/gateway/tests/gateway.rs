//! The gateway over the network, with every upstream a server that can die.

use std::time::Duration;

use mesh::{Mesh, TITLED, USER, ids, named, request};
use tonic::Code;
use tributary_domain::{Action, ItemId, UserContext, UserId};
use tributary_proto::{
    entity::v1 as entity,
    gateway::v1::{self as wire, item_verdict::Verdict},
};
use tributary_testkit::{Mode, wait_until};
use wire::degradation::Reason;

#[path = "gateway/fakes.rs"]
mod fakes;
#[path = "gateway/mesh.rs"]
mod mesh;

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_list_has_titles_channels_bundles_and_further_pages() {
    let mut mesh = Mesh::start().await;
    let first = mesh.recommend(request(10)).await.unwrap();
    assert_eq!(ids(&first), (61..=70).rev().collect::<Vec<_>>());
    assert!(first.degraded.is_empty(), "{:?}", first.degraded);
    assert_eq!(first.items[0].title, format!("{TITLED} 70"));
    assert_eq!(first.items[0].channels, ["trending"]);
    assert_eq!(first.bundle_ids["ranking"], "b1");
    assert_eq!(first.bundle_ids["recall-personal"], "b1");
    assert_eq!(first.request_id.len(), 32);
    assert!(first.explanation.is_none());

    let mut met = ids(&first);
    let mut page = first;
    while !page.page_token.is_empty() {
        let token = page.page_token.clone();
        page = mesh
            .recommend(wire::RecommendRequest { page_token: token, ..request(10) })
            .await
            .unwrap();
        for item in &page.items {
            assert_eq!(item.position, u32::try_from(met.len() + 1).unwrap());
            met.push(item.item_id);
        }
    }
    met.sort_unstable();
    assert_eq!(met, (1..=70).collect::<Vec<_>>());
    mesh.stop().await;
}

#[tokio::test]
async fn what_was_shown_is_recorded_unless_asked_not_to() {
    let mut mesh = Mesh::start().await;
    let quiet = wire::Overrides { skip_impressions: true, ..Default::default() };
    let quiet = wire::RecommendRequest { overrides: Some(quiet), ..request(5) };
    mesh.recommend(quiet).await.unwrap();
    let shown = mesh.recommend(request(3)).await.unwrap();
    let feature = mesh.feature.clone();
    // The stop flushes the queue.
    mesh.stop().await;
    let events = feature.events();
    assert!(events.iter().all(|event| event.behaviour.action == Action::Impression));
    let recorded: Vec<u64> = events.iter().map(|event| event.behaviour.item.0).collect();
    assert_eq!(recorded, ids(&shown));
    let contexts: Vec<_> = feature.served_events().into_iter().map(|one| one.served).collect();
    for (item, context) in shown.items.iter().zip(contexts) {
        let context = context.expect("impressions say how they came about");
        assert_eq!(context.request_id, shown.request_id);
        assert_eq!((&*context.scene, context.position), ("home", item.position));
        assert_eq!(context.score, item.score);
        assert_eq!(context.ranking_bundle.unwrap().as_str(), "b1");
        assert!(!context.exploration);
        let found = context.channels.iter().map(|one| one.channel.as_str().to_owned());
        assert_eq!(found.collect::<Vec<_>>(), item.channels);
        // Items 70 to 68 are the last of trending's 40.
        assert_eq!(u64::from(context.channels[0].position), item.item_id - 30);
    }
}

#[tokio::test]
async fn wrong_requests_name_the_field() {
    let mut mesh = Mesh::start().await;
    let token = mesh.recommend(request(5)).await.unwrap().page_token;
    let only = wire::Overrides { channels: vec!["nope".into()], ..Default::default() };
    for (wrong, field) in [
        (wire::RecommendRequest { user_id: 0, ..request(5) }, "user_id"),
        (request(0), "size"),
        (wire::RecommendRequest { page_token: format!("{token}A"), ..request(5) }, "page_token"),
        (wire::RecommendRequest { page_token: token, user_id: 9, ..request(5) }, "page_token"),
        (wire::RecommendRequest { overrides: Some(only), ..request(5) }, "overrides.channels[0]"),
    ] {
        let status = mesh.recommend(wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.metadata().get("field").unwrap(), field);
    }
    mesh.stop().await;
}

#[tokio::test]
async fn any_one_death_costs_a_share_and_heals() {
    let mut mesh = Mesh::start().await;
    let personal: Vec<u64> = (31..=40).rev().collect();
    let all: Vec<u64> = (61..=70).rev().collect();
    let merged = [1, 31, 2, 32, 3, 33, 4, 34, 5, 35];
    for (name, component, want) in [
        ("trending", "recall-trending", &*personal),
        ("ranking", "ranking", &merged),
        ("rerank", "rerank", &all),
        ("feature", "feature", &all),
    ] {
        mesh.proxies[name].set(Mode::Close);
        let answer = mesh.recommend(request(10)).await.unwrap();
        assert_eq!(ids(&answer), want, "{name}");
        assert_eq!(named(&answer), [(component, Reason::Unavailable)], "{name}");
        mesh.proxies[name].set(Mode::Pass);
        mesh.healed().await;
    }
    mesh.stop().await;
}

#[tokio::test]
async fn a_silent_upstream_does_not_cost_the_deadline() {
    let mut mesh = Mesh::start().await;
    for name in ["feature", "personal", "ranking", "rerank"] {
        mesh.proxies[name].set(Mode::Hang);
    }
    let mut request = tonic::Request::new(request(5));
    request.set_timeout(Duration::from_millis(400));
    let answer = mesh.client.recommend(request).await.unwrap().into_inner();
    assert_eq!(ids(&answer), [31, 32, 33, 34, 35]);
    let want = ["feature", "recall-personal", "ranking"];
    assert_eq!(named(&answer), want.map(|name| (name, Reason::Timeout)));
    mesh.stop().await;
}

#[tokio::test]
async fn with_everything_dead_the_last_trending_list_is_served() {
    let mut mesh = Mesh::start().await;
    mesh.recommend(request(5)).await.unwrap();
    for proxy in mesh.proxies.values() {
        proxy.set(Mode::Close);
    }
    let answer = mesh.recommend(request(5)).await.unwrap();
    assert_eq!(ids(&answer), [31, 32, 33, 34, 35]);
    assert_eq!(answer.items[0].title, format!("{TITLED} 31"));
    let named = named(&answer);
    for component in ["feature", "recall-personal", "recall-trending", "ranking"] {
        assert!(named.contains(&(component, Reason::Unavailable)), "{named:?}");
    }
    assert!(named.contains(&("recall", Reason::Fallback)), "{named:?}");
    mesh.stop().await;
}

#[tokio::test]
async fn explanations_say_what_happened_to_each_item() {
    let mesh = Mesh::start().await;
    let seen = vec![ItemId(70)];
    mesh.feature.set_context(UserContext { seen, version: 4, ..UserContext::cold(UserId(USER)) });
    mesh.feature.delete(ItemId(69));
    let feature = mesh.feature.clone();
    assert!(feature.events().is_empty());
    let asked = wire::ExplainRequest {
        user_id: USER,
        item_ids: vec![70, 69, 68, 1, 700],
        size: 10,
        ..Default::default()
    };
    // The deletion reaches the gateway by the item log.
    let mut client = mesh.client.clone();
    wait_until(
        || {
            let (mut client, asked) = (client.clone(), asked.clone());
            async move { client.explain(asked).await.unwrap().get_ref().verdicts[1].filter == "deleted" }
        },
        LONG,
    )
    .await;
    let answer = client.explain(asked).await.unwrap().into_inner();
    let verdicts: Vec<_> =
        answer.verdicts.iter().map(|one| (one.verdict(), &*one.filter, one.position)).collect();
    assert_eq!(
        verdicts,
        [
            (Verdict::Filtered, "seen", 0),
            (Verdict::Filtered, "deleted", 0),
            (Verdict::Listed, "", 1),
            (Verdict::Outranked, "", 0),
            (Verdict::NotRecalled, "", 0),
        ]
    );
    let best = answer.verdicts[2].explanation.as_ref().unwrap();
    assert_eq!((best.rank_position, best.rank_score), (1, Some(68.0)));
    assert_eq!(best.task_scores["liked"], 68.0);
    assert_eq!(best.rerank_decision, "score");
    assert_eq!(best.channels[0].channel, "trending");
    assert_eq!(best.channels[0].position, 38);
    let explanation = answer.explanation.unwrap();
    assert_eq!(explanation.context_version, 4);
    let removed: Vec<_> =
        explanation.removed.iter().map(|one| (one.item_id, &*one.filter)).collect();
    assert_eq!(removed, [(70, "seen"), (69, "deleted")]);
    let stages: Vec<_> = explanation
        .stages
        .iter()
        .map(|one| (&*one.stage, one.candidates_in, one.candidates_out))
        .collect();
    assert_eq!(
        stages,
        [
            ("context", 0, 0),
            ("recall", 0, 80),
            ("merge", 80, 70),
            ("filter", 70, 68),
            ("ranking", 68, 68),
            ("rerank", 68, 10),
        ]
    );
    let explained = wire::Overrides { skip_impressions: true, ..Default::default() };
    let explained =
        wire::RecommendRequest { explain: true, overrides: Some(explained), ..request(10) };
    let answer = client.recommend(explained).await.unwrap().into_inner();
    let last = answer.explanation.unwrap().stages.pop().unwrap();
    assert_eq!((&*last.stage, last.candidates_out), ("answer", 10));
    assert_eq!(answer.items[0].explanation.as_ref().unwrap(), best);
    mesh.stop().await;
    assert!(feature.events().is_empty(), "explaining shows nothing to anybody");
}

#[tokio::test]
async fn events_are_recorded_or_refused_with_the_upstream_named() {
    let mut mesh = Mesh::start().await;
    let event = entity::Event { user_id: USER, item_id: 9, action: 4, time_ms: 5, dwell_ms: 0 };
    let events = |list: Vec<entity::Event>| wire::RecordEventsRequest { events: list };
    let answer = mesh.client.record_events(events(vec![event, event])).await.unwrap().into_inner();
    assert_eq!((answer.recorded, answer.duplicates), (1, 1));

    let bad = entity::Event { item_id: 0, ..event };
    let status = mesh.client.record_events(events(vec![event, bad])).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.metadata().get("field").unwrap(), "events[1].item_id");

    mesh.proxies["feature"].set(Mode::Close);
    let status = mesh.client.record_events(events(vec![event])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("feature"), "{}", status.message());
    mesh.stop().await;
}

#[tokio::test]
async fn the_gateway_starts_without_its_upstreams() {
    let mut mesh = Mesh::start_with_dead_upstreams().await;
    let answer = mesh.recommend(request(5)).await.unwrap();
    assert!(answer.items.is_empty());
    assert!(answer.page_token.is_empty());
    assert_eq!(answer.degraded.len(), 3, "{:?}", answer.degraded);
    mesh.stop().await;
}
