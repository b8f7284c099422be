//! One request, every item of it with the stage or filter that decided on it. A stage or filter
//! that is wired in and decides no case fails the test.

use std::collections::BTreeSet;

use tributary_domain::{Gender, Item, ItemId, UserProfile};

use super::{tests::Scene, *};
use crate::{
    config::SceneConfig,
    explain::{Verdict, verdict},
    fakes::{self, PERSONAL, TRENDING, USER, list},
    filters::CHAIN,
    upstreams::{Decision, RerankAnswer},
};

/// Stages that decide on single items; the filters are named one by one.
const STAGES: [&str; 6] = ["recall", "merge", "exploration", "ranking", "rerank", "answer"];

const CASES: [(u64, &str, &str); 25] = [
    (1, "seen", "acted on before"),
    (2, "served", "on an earlier page"),
    (3, "deleted", "deleted from the catalogue"),
    (999, "unknown", "never in the catalogue"),
    (4, "hidden", "hidden in the catalogue"),
    (5, "blocked_creator", "by creator 50"),
    (6, "blocked_tag", "has the tag gore"),
    (7, "blocked_tag", "has the genre Horror"),
    (8, "minimum_age", "for 16 and older, the user is 15"),
    (9, "rules", "the genre Adult is not for this scene"),
    (10, "rules", "the tag advertisement is not for this scene"),
    (20, "served", "served and hidden: the first filter of the chain counts"),
    (11, "ranking", "last of those ranked"),
    (12, "answer", "picked for diversity"),
    (13, "rerank", "third of those ranked, and passed over"),
    (14, "rerank", "second of those ranked, and passed over"),
    (15, "answer", "best of those ranked"),
    (16, "merge", "sixth, and five go to ranking"),
    (17, "recall", "nobody proposed it"),
    (21, "answer", "nothing against it: for 15 and older"),
    (22, "merge", "proposed beyond the channel's quota"),
    (18, "merge", "seventh"),
    (23, "exploration", "new, in the reserved place"),
    (24, "hidden", "new and hidden"),
    (25, "merge", "new, and shown more often than the one in the only reserved place"),
];

fn catalogue() -> View {
    let bare = |id| Item::bare(ItemId(id));
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut items: Vec<Item> = (1..=25).map(bare).collect();
    let mut change = |id: usize, change: fn(&mut Item)| change(&mut items[id - 1]);
    change(4, |item| item.hidden = true);
    change(5, |item| item.creator = Some(50));
    change(8, |item| item.minimum_age = 16);
    change(20, |item| item.hidden = true);
    change(21, |item| item.minimum_age = 15);
    change(24, |item| item.hidden = true);
    items[5].tags = texts(&["war", "gore"]);
    items[6].genres = texts(&["Horror"]);
    items[8].genres = texts(&["Adult"]);
    items[9].tags = texts(&["advertisement"]);
    fakes::view(items, &[3])
}

fn profile() -> UserProfile {
    UserProfile {
        id: USER,
        age: Some(15),
        gender: Some(Gender::Other),
        occupation: String::new(),
        blocked_creators: vec![50],
        blocked_tags: vec!["gore".into(), "Horror".into()],
    }
}

fn scene() -> Scene {
    let mut scene = Scene::good(4);
    scene.view = catalogue();
    scene.fake.context.1.profile = Some(profile());
    scene.fake.context.1.seen = vec![ItemId(1)];
    scene.fake.context.1.version = 3;
    scene.request.served = vec![ItemId(2), ItemId(20)];
    scene.fake.channels[PERSONAL].1 =
        list([1, 2, 20, 3, 999, 4, 5, 6, 7, 8, 9, 10, 21, 11, 12, 13, 14, 15, 16, 18]);
    scene.fake.channels[TRENDING].1 = list([15, 22]);
    scene.fake.channels[TRENDING].1.cold_ids = vec![25, 23, 24];
    scene.fake.channels[TRENDING].1.cold_impressions = vec![40, 0, 0];
    scene.request.exploration = Some(fakes::reserved([1]));
    scene.config.channel[TRENDING].quota = Some(1);
    scene.config.merge.limit = 6;
    let rules = SceneConfig {
        excluded_genres: vec!["Adult".into()],
        excluded_tags: vec!["advertisement".into()],
        theta: None,
    };
    scene.config.scenes.insert("home".into(), rules);
    scene.fake.ranking.1 = |query| {
        let mut answer = fakes::by_id(query);
        // 15, 14, 13, 21, 12, 11
        for (item, score) in query.items.iter().zip(&mut answer.scores) {
            if item.0 == 21 {
                *score = 12.5;
            }
        }
        answer
    };
    scene.fake.rerank.1 = |_| RerankAnswer {
        item_ids: vec![15, 12, 21],
        decisions: vec![Decision::Score, Decision::Diversity, Decision::Diversity],
        bundle_id: String::new(),
    };
    scene
}

/// The stage or filter that decided on the item.
fn decider(outcome: &Outcome, item: ItemId) -> &'static str {
    match verdict(outcome, item) {
        (Verdict::Listed(place), _) if outcome.slate[place].is_explored() => "exploration",
        (Verdict::Listed(_), _) => "answer",
        (Verdict::NotRecalled, _) => "recall",
        (Verdict::Cut, _) => "merge",
        (Verdict::Filtered(filter), _) => filter,
        (Verdict::Outranked, candidate) => {
            let row = outcome.kept.iter().position(|kept| Some(*kept) == candidate).unwrap();
            let ranking = outcome.ranking.as_ref().unwrap();
            let place = ranking.order.iter().position(|other| *other == row).unwrap();
            if place < outcome.slate.len() { "rerank" } else { "ranking" }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_item_is_decided_on_where_the_table_says() {
    let outcome = scene().run().await;
    for (item, stage, why) in CASES {
        assert_eq!(decider(&outcome, ItemId(item)), stage, "{item}: {why}");
    }
    assert_eq!(super::tests::ids(&outcome), [15, 23, 12, 21]);
    let named: Vec<_> = outcome.degraded.iter().map(|one| &*one.detail).collect();
    assert_eq!(named, ["1 unknown items"]);
}

#[test]
fn every_stage_and_filter_decides_a_case() {
    let wired: BTreeSet<&str> = CHAIN.iter().map(|filter| filter.name).chain(STAGES).collect();
    let deciding: BTreeSet<&str> = CASES.iter().map(|(_, stage, _)| *stage).collect();
    assert_eq!(deciding, wired);
}
