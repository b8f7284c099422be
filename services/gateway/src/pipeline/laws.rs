//! What holds whatever the channels propose, whoever fails and whatever the user has seen.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use proptest::{collection, prelude::*, sample::select};
use tributary_domain::{Item, ItemId};

use super::tests::{Scene, ids};
use crate::{
    answer,
    exploration::{Page, Plan},
    fakes::{self, Act, TRENDING},
    page_token::Tokens,
    upstreams::RecallAnswer,
};

const NOW: tributary_domain::Timestamp = tributary_domain::Timestamp(1_000);

#[derive(Debug)]
struct World {
    channels: Vec<(Act, Vec<(u64, f32)>)>,
    acts: [Act; 3],
    seen: BTreeSet<u64>,
    served: BTreeSet<u64>,
    deleted: BTreeSet<u64>,
    hidden: BTreeSet<u64>,
    size: usize,
    limit: usize,
}

fn act() -> impl Strategy<Value = Act> {
    let slow = Act::Delay(Duration::from_millis(70));
    select(vec![Act::Answer, Act::Answer, Act::Answer, slow, Act::Hang, Act::Dead])
}

/// Mostly numbers, some not.
fn score() -> impl Strategy<Value = f32> {
    prop_oneof![9 => -10.0_f32..10.0, 1 => any::<f32>()]
}

fn world() -> impl Strategy<Value = World> {
    let ids = || collection::btree_set(1_u64..60, 0..12);
    // 0 and 60 to 65 are rubbish.
    let channel = (act(), collection::vec((0_u64..66, score()), 0..50));
    let sets = (ids(), ids(), ids(), ids());
    (collection::vec(channel, 2), [act(), act(), act()], sets, 1_usize..30, 1_usize..40).prop_map(
        |(channels, acts, (seen, served, deleted, hidden), size, limit)| World {
            channels,
            acts,
            seen,
            served,
            deleted,
            hidden,
            size,
            limit,
        },
    )
}

fn items(ids: &BTreeSet<u64>) -> Vec<ItemId> {
    ids.iter().copied().map(ItemId).collect()
}

fn scene(world: &World) -> Scene {
    let mut scene = Scene::good(world.size);
    for (channel, (act, rows)) in world.channels.iter().enumerate() {
        let (item_ids, scores) = rows.iter().copied().unzip();
        let answer = RecallAnswer { item_ids, scores, ..Default::default() };
        scene.fake.channels[channel] = (*act, answer);
    }
    [scene.fake.context.0, scene.fake.ranking.0, scene.fake.rerank.0] = world.acts;
    scene.fake.context.1.seen = items(&world.seen);
    scene.request.served = items(&world.served);
    scene.config.merge.limit = world.limit;
    let item = |id| Item { hidden: world.hidden.contains(&id), ..Item::bare(ItemId(id)) };
    let deleted: Vec<u64> = world.deleted.iter().copied().collect();
    scene.view = fakes::view((1..60).map(item), &deleted);
    scene
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_twice_nothing_forbidden_nothing_lost(world in world()) {
        let scene = scene(&world);
        let (outcome, took) = block_on(async {
            let start = tokio::time::Instant::now();
            (scene.run().await, start.elapsed())
        });
        prop_assert!(took <= scene.deadline);

        let listed = ids(&outcome);
        let distinct: HashSet<u64> = listed.iter().copied().collect();
        prop_assert_eq!(distinct.len(), listed.len());
        let context_known = outcome.degraded.iter().all(|one| one.component != "feature");
        for id in &listed {
            prop_assert!((1..60).contains(id));
            prop_assert!(!world.served.contains(id));
            prop_assert!(!world.deleted.contains(id));
            prop_assert!(!world.hidden.contains(id));
            prop_assert!(!(context_known && world.seen.contains(id)));
        }

        let places: BTreeSet<usize> = outcome
            .kept
            .iter()
            .chain(&outcome.cut)
            .copied()
            .chain(outcome.removed.iter().map(|one| one.candidate))
            .collect();
        let total = outcome.kept.len() + outcome.cut.len() + outcome.removed.len();
        prop_assert_eq!(total, outcome.pool.len());
        prop_assert_eq!(places.len(), outcome.pool.len());
        prop_assert_eq!(listed.len(), world.size.min(outcome.kept.len()));
    }

    #[test]
    fn the_same_request_gets_the_same_list(world in world()) {
        let scene = scene(&world);
        let (one, other) = block_on(async { (scene.run().await, scene.run().await) });
        prop_assert_eq!(ids(&one), ids(&other));
        prop_assert_eq!(one.degraded, other.degraded);
    }

    #[test]
    fn pages_of_a_token_hold_every_item_once(
        lists in collection::vec(collection::btree_set(1_u64..200, 0..80), 2),
        cold in collection::btree_set(150_u64..250, 0..30),
        size in 1_usize..40,
        limit in 1_usize..60,
    ) {
        let mut scene = Scene::good(size);
        scene.config.merge.limit = limit;
        for (channel, list) in lists.iter().enumerate() {
            scene.config.channel[channel].limit = limit;
            scene.fake.channels[channel].1 = fakes::list(list.iter().copied());
        }
        scene.fake.channels[TRENDING].1.cold_impressions = vec![0; cold.len()];
        scene.fake.channels[TRENDING].1.cold_ids = cold.iter().copied().collect();
        let all: BTreeSet<u64> = lists.iter().flatten().copied().collect();
        let pages = block_on(turn_pages(scene));
        let listed: Vec<u64> = pages.into_iter().flatten().collect();
        let distinct: BTreeSet<u64> = listed.iter().copied().collect();
        prop_assert_eq!(distinct.len(), listed.len());
        prop_assert!(distinct.is_superset(&all));
        prop_assert!(distinct.difference(&all).all(|item| cold.contains(item)));
    }
}

/// Follows the token to the end.
async fn turn_pages(mut scene: Scene) -> Vec<Vec<u64>> {
    let tokens = Tokens::with_random_key(Duration::from_secs(60));
    let mut pages = Vec::new();
    loop {
        let request = &scene.request;
        let served = request.served.len();
        let page = Page { asked: &request.asked, size: request.size, served, now: NOW };
        scene.request.exploration = Plan::of(&scene.config, &page);
        let outcome = scene.run().await;
        pages.push(ids(&outcome));
        let token = answer::next_page(&tokens, &scene.request, &outcome, NOW);
        if token.is_empty() {
            return pages;
        }
        let request = &scene.request;
        let served = tokens.open(&token, request.user, &request.scene, NOW).unwrap();
        scene.request.served = served;
    }
}
