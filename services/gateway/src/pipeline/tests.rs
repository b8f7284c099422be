//! What a failing part costs, and that every failure is named.

use std::time::Duration;

use super::*;
use crate::{
    fakes::{self, Act, Fake, PERSONAL, TRENDING, list},
    upstreams::{Decision, RankAnswer, RerankAnswer},
};
use tributary_domain::{Item, ItemId};

/// Everything a request needs, ready to be spoilt.
pub(super) struct Scene {
    pub(super) fake: Fake,
    pub(super) config: Config,
    pub(super) view: View,
    pub(super) fallback: Fallback,
    pub(super) request: Request,
    pub(super) deadline: Duration,
}

impl Scene {
    pub(super) fn good(size: usize) -> Self {
        Self {
            fake: Fake::good(),
            config: fakes::config(),
            view: fakes::bare_view(),
            fallback: Fallback::default(),
            request: fakes::request(size),
            deadline: Duration::from_millis(500),
        }
    }

    pub(super) async fn run(&self) -> Outcome {
        let Self { fake, config, view, fallback, request, deadline } = self;
        let pipeline = Pipeline { upstreams: fake, config, view, fallback };
        pipeline.run(request, Deadline::after(*deadline)).await
    }
}

pub(super) fn ids(outcome: &Outcome) -> Vec<u64> {
    outcome.items().map(|item| item.0).collect()
}

fn named(outcome: &Outcome) -> Vec<(&str, Reason)> {
    outcome.degraded.iter().map(|one| (&*one.component, one.reason)).collect()
}

type Spoil = fn(&mut Scene);
/// Name, what is spoilt, the list, what is named.
type Case = (&'static str, Spoil, &'static [u64], &'static [(&'static str, Reason)]);

async fn check(name: &str, spoil: Spoil, items: &[u64], degraded: &[(&str, Reason)]) {
    let mut scene = Scene::good(4);
    spoil(&mut scene);
    let start = tokio::time::Instant::now();
    let outcome = scene.run().await;
    assert!(start.elapsed() < scene.deadline, "{name}: {:?}", start.elapsed());
    assert_eq!(ids(&outcome), items, "{name}");
    assert_eq!(named(&outcome), degraded, "{name}");
}

const RANKED: &[u64] = &[70, 69, 68, 67];
const MERGED: &[u64] = &[1, 31, 2, 32];
const PERSONAL_ONLY: &[u64] = &[40, 39, 38, 37];

#[tokio::test(start_paused = true)]
async fn a_failed_part_costs_its_share_and_is_named() {
    let cases: [Case; 15] = [
        ("all answer", |_| {}, RANKED, &[]),
        (
            "slow within the deadline",
            |scene| scene.fake.channels[TRENDING].0 = Act::Delay(Duration::from_millis(90)),
            RANKED,
            &[],
        ),
        (
            "slow channel",
            |scene| scene.fake.channels[TRENDING].0 = Act::Delay(Duration::from_millis(110)),
            PERSONAL_ONLY,
            &[("recall-trending", Reason::Timeout)],
        ),
        (
            "hanging channel",
            |scene| scene.fake.channels[TRENDING].0 = Act::Hang,
            PERSONAL_ONLY,
            &[("recall-trending", Reason::Timeout)],
        ),
        (
            "dead channel",
            |scene| scene.fake.channels[TRENDING].0 = Act::Dead,
            PERSONAL_ONLY,
            &[("recall-trending", Reason::Unavailable)],
        ),
        (
            "broken channel",
            |scene| scene.fake.channels[TRENDING].0 = Act::Broken,
            PERSONAL_ONLY,
            &[("recall-trending", Reason::Error)],
        ),
        (
            "unknown ids",
            |scene| scene.fake.channels[TRENDING].1 = list([60, 4_000, 61, 5_000]),
            &[61, 60, 40, 39],
            &[("recall-trending", Reason::InvalidAnswer)],
        ),
        (
            "not a number",
            |scene| scene.fake.channels[TRENDING].1.scores[39] = f32::NAN,
            &[69, 68, 67, 66],
            &[("recall-trending", Reason::InvalidAnswer)],
        ),
        (
            "columns of different lengths",
            |scene| scene.fake.channels[TRENDING].1.scores = vec![1.0],
            PERSONAL_ONLY,
            &[("recall-trending", Reason::InvalidAnswer)],
        ),
        (
            "feature dead",
            |scene| scene.fake.context.0 = Act::Dead,
            RANKED,
            &[("feature", Reason::Unavailable)],
        ),
        (
            "another user's context",
            |scene| scene.fake.context.1 = UserContext::cold(tributary_domain::UserId(8)),
            RANKED,
            &[("feature", Reason::InvalidAnswer)],
        ),
        (
            "ranking dead",
            |scene| scene.fake.ranking.0 = Act::Dead,
            MERGED,
            &[("ranking", Reason::Unavailable)],
        ),
        (
            "ranking sheds load",
            |scene| scene.fake.ranking.0 = Act::Overloaded,
            MERGED,
            &[("ranking", Reason::Overloaded)],
        ),
        (
            "rerank hangs",
            |scene| scene.fake.rerank.0 = Act::Hang,
            RANKED,
            &[("rerank", Reason::Timeout)],
        ),
        (
            "all hang",
            |scene| {
                scene.fake.context.0 = Act::Hang;
                scene.fake.channels.iter_mut().for_each(|channel| channel.0 = Act::Hang);
                scene.fake.ranking.0 = Act::Hang;
                scene.fake.rerank.0 = Act::Hang;
                scene.fallback = fakes::remembered([300, 200, 100]);
                scene.deadline = Duration::from_millis(60);
            },
            &[300, 200, 100],
            &[
                ("feature", Reason::Timeout),
                ("recall-personal", Reason::Timeout),
                ("recall-trending", Reason::Timeout),
                ("recall", Reason::Fallback),
                ("ranking", Reason::Timeout),
            ],
        ),
    ];
    for (name, spoil, items, degraded) in cases {
        check(name, spoil, items, degraded).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rubbish_scores_of_ranking() {
    let check = async |answer: fn(&crate::upstreams::RankQuery<'_>) -> RankAnswer,
                       items: &[u64]| {
        let mut scene = Scene::good(4);
        scene.fake.ranking.1 = answer;
        let outcome = scene.run().await;
        assert_eq!(ids(&outcome), items);
        assert_eq!(named(&outcome), [("ranking", Reason::InvalidAnswer)]);
    };
    check(|_| RankAnswer::default(), MERGED).await;
    check(
        |query| RankAnswer { scores: vec![f32::NAN; query.items.len()], ..Default::default() },
        MERGED,
    )
    .await;
    // The two best have no usable score and go last.
    check(
        |query| {
            let mut answer = fakes::by_id(query);
            for score in answer.scores.iter_mut().filter(|score| **score > 68.0) {
                *score = f32::INFINITY;
            }
            answer
        },
        &[68, 67, 66, 65],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn rubbish_picks_of_rerank_are_dropped_and_the_page_is_filled() {
    let check = async |item_ids: &'static [u64], items: &[u64]| {
        let mut scene = Scene::good(4);
        // A function pointer cannot capture: the picks travel in a thread local.
        PICKS.set(item_ids);
        scene.fake.rerank.1 = |_| RerankAnswer {
            item_ids: PICKS.get().to_vec(),
            decisions: vec![Decision::Diversity; PICKS.get().len()],
            bundle_id: String::new(),
        };
        let outcome = scene.run().await;
        assert_eq!(ids(&outcome), items, "{item_ids:?}");
        assert_eq!(named(&outcome), [("rerank", Reason::InvalidAnswer)], "{item_ids:?}");
    };
    check(&[], RANKED).await;
    check(&[50], &[50, 70, 69, 68]).await;
    check(&[50, 50, 900, 51], &[50, 51, 70, 69]).await;
    check(&[50, 51, 52, 53, 54], &[50, 51, 52, 53]).await;
}

thread_local! {
    static PICKS: std::cell::Cell<&'static [u64]> = const { std::cell::Cell::new(&[]) };
}

#[tokio::test(start_paused = true)]
async fn an_early_hang_leaves_later_stages_their_time() {
    for deadline in [20, 50, 100, 200, 500] {
        let mut scene = Scene::good(4);
        scene.deadline = Duration::from_millis(deadline);
        scene.fake.context.0 = Act::Hang;
        scene.fake.channels[PERSONAL].0 = Act::Hang;
        let outcome = scene.run().await;
        assert_eq!(ids(&outcome), RANKED, "{deadline}");
        let want = [("feature", Reason::Timeout), ("recall-personal", Reason::Timeout)];
        assert_eq!(named(&outcome), want, "{deadline}");
    }
}

#[tokio::test(start_paused = true)]
async fn overrides_leave_stages_out() {
    let mut scene = Scene::good(4);
    scene.request.skip_ranking = true;
    let outcome = scene.run().await;
    assert_eq!((&*ids(&outcome), outcome.degraded.len()), (MERGED, 0));

    let mut scene = Scene::good(4);
    scene.fake.rerank.0 = Act::Dead;
    scene.request.skip_rerank = true;
    let outcome = scene.run().await;
    assert_eq!((&*ids(&outcome), outcome.degraded.len()), (RANKED, 0));
}

#[tokio::test(start_paused = true)]
async fn evidence_goes_to_ranking_in_columns() {
    let mut scene = Scene::good(4);
    scene.fake.channels[PERSONAL].1 = list([5, 6]);
    scene.fake.channels[TRENDING].1 = list([6, 7]);
    scene.run().await;
    let evidence = scene.fake.evidence.lock().unwrap();
    // Merged order: 5, 6, 7.
    let want = [
        ("personal".to_owned(), vec![1, 2, 0], vec![0.0, -1.0, 0.0]),
        ("trending".to_owned(), vec![0, 1, 2], vec![0.0, 0.0, -1.0]),
    ];
    assert_eq!(*evidence, want);
}

#[tokio::test(start_paused = true)]
async fn the_fallback_list_is_learnt_and_filtered() {
    let mut scene = Scene::good(4);
    scene.run().await;
    assert_eq!(scene.fallback.list().len(), 40, "learnt from a cold user's answer");
    scene.fake.channels.iter_mut().for_each(|channel| channel.0 = Act::Dead);
    scene.fake.ranking.0 = Act::Dead;
    scene.fake.context.1.seen = vec![ItemId(31), ItemId(33)];
    let outcome = scene.run().await;
    assert_eq!(ids(&outcome), [32, 34, 35, 36]);
    assert!(outcome.fallback);
    assert!(named(&outcome).contains(&("recall", Reason::Fallback)));
    let names: Vec<_> = outcome.stages.iter().map(|report| report.stage).collect();
    assert_eq!(names, ["context", "recall", "merge", "filter", "ranking"]);
}

#[tokio::test(start_paused = true)]
async fn answers_for_a_known_user_do_not_become_the_fallback() {
    let mut scene = Scene::good(4);
    scene.fake.context.1.seen = vec![ItemId(31)];
    scene.run().await;
    assert!(scene.fallback.list().is_empty());
}

#[tokio::test(start_paused = true)]
async fn before_the_catalogue_is_read_nothing_is_unknown() {
    let mut scene = Scene::good(4);
    scene.view = fakes::view([], &[]);
    let outcome = scene.run().await;
    assert_eq!((&*ids(&outcome), outcome.degraded.len()), (RANKED, 0));
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_catalogue_trusts_fresh_channels_and_blames_nobody() {
    let known = || (1..=38).map(|id| tributary_domain::Item::bare(ItemId(id)));
    for (fresh, items) in [([false, true], RANKED), ([true, false], PERSONAL_ONLY)] {
        let mut scene = Scene::good(4);
        scene.view = fakes::view(known(), &[]);
        scene.view.complete = false;
        for (channel, fresh) in scene.config.channel.iter_mut().zip(fresh) {
            channel.fresh = fresh;
        }
        let outcome = scene.run().await;
        assert_eq!((&*ids(&outcome), outcome.degraded.len()), (items, 0), "{fresh:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_catalogue_keeps_unknown_items_out() {
    let mut scene = Scene::good(4);
    scene.view = fakes::view((1..=38).map(|id| tributary_domain::Item::bare(ItemId(id))), &[]);
    scene.view.complete = false;
    let outcome = scene.run().await;
    assert_eq!((&*ids(&outcome), outcome.degraded.len()), (&[38, 37, 36, 35][..], 0));
    assert!(outcome.removed.iter().all(|one| one.filter == filters::UNKNOWN));
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_later_page_is_empty_and_not_the_fallback() {
    let mut scene = Scene::good(4);
    scene.fallback = fakes::remembered([500]);
    scene.request.served = (1..=70).map(ItemId).collect();
    let outcome = scene.run().await;
    assert!(ids(&outcome).is_empty());
    assert!(!outcome.may_have_more());
    assert!(!outcome.fallback);
}

#[tokio::test(start_paused = true)]
async fn the_bound_on_candidates_is_never_below_the_size() {
    let mut scene = Scene::good(30);
    scene.config.merge.limit = 10;
    let outcome = scene.run().await;
    assert_eq!((outcome.kept.len(), outcome.cut.len(), ids(&outcome).len()), (30, 40, 30));
    assert!(outcome.may_have_more());
}

#[tokio::test]
async fn a_seen_item_that_no_channel_proposes_is_explained_by_having_been_seen() {
    let mut scene = Scene::good(4);
    // The fakes propose 1 to 70.
    scene.fake.context.1.seen = vec![ItemId(3), ItemId(99)];
    let outcome = scene.run().await;
    let verdict = |item| crate::explain::verdict(&outcome, ItemId(item)).0;
    assert_eq!(verdict(3), crate::explain::Verdict::Filtered("seen"));
    assert_eq!(verdict(99), crate::explain::Verdict::Filtered("seen"));
    assert_eq!(verdict(98), crate::explain::Verdict::NotRecalled);
}

/// Trending says that 501 to 503 are cold; 503 was shown most.
fn exploring(places: impl IntoIterator<Item = usize>) -> Scene {
    let mut scene = Scene::good(4);
    scene.fake.channels[TRENDING].1.cold_ids = vec![503, 501, 502];
    scene.fake.channels[TRENDING].1.cold_impressions = vec![9, 2, 3];
    scene.request.exploration = Some(fakes::reserved(places));
    scene
}

#[tokio::test(start_paused = true)]
async fn new_items_stand_in_the_reserved_places_whoever_fails() {
    let cases: [(&str, Spoil, &[u64]); 8] = [
        ("all answer", |_| {}, &[70, 501, 69, 502]),
        ("ranking dead", |scene| scene.fake.ranking.0 = Act::Dead, &[1, 501, 31, 502]),
        ("ranking skipped", |scene| scene.request.skip_ranking = true, &[1, 501, 31, 502]),
        ("rerank dead", |scene| scene.fake.rerank.0 = Act::Dead, &[70, 501, 69, 502]),
        ("rerank skipped", |scene| scene.request.skip_rerank = true, &[70, 501, 69, 502]),
        ("trending dead", |scene| scene.fake.channels[TRENDING].0 = Act::Dead, &[40, 39, 38, 37]),
        (
            "one of them seen, one served",
            |scene| {
                scene.fake.context.1.seen = vec![ItemId(501)];
                scene.request.served = vec![ItemId(502)];
            },
            &[70, 503, 69, 68],
        ),
        (
            "one of them ranked as well",
            |scene| scene.fake.channels[TRENDING].1.cold_ids = vec![503, 70, 502],
            &[69, 70, 68, 502],
        ),
    ];
    for (name, spoil, items) in cases {
        let mut scene = exploring([1, 3]);
        spoil(&mut scene);
        let outcome = scene.run().await;
        assert_eq!(ids(&outcome), items, "{name}");
        let explored = outcome.slate.iter().filter(|placed| placed.is_explored()).count();
        let expected = items.iter().filter(|item| [501, 502, 503].contains(*item)).count();
        assert_eq!(explored, expected + usize::from(name.ends_with("as well")), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_may_be_all_reserved_and_a_list_short() {
    let mut scene = exploring([0]);
    scene.request.size = 1;
    assert_eq!(ids(&scene.run().await), [501]);

    let mut scene = exploring([1, 3]);
    scene.fake.channels[PERSONAL].1 = list([]);
    scene.fake.channels[TRENDING].1.item_ids = vec![31];
    scene.fake.channels[TRENDING].1.scores = vec![1.0];
    let outcome = scene.run().await;
    assert_eq!(ids(&outcome), [31, 501, 502]);
    assert!(!outcome.may_have_more(), "503 alone is no list");
}

#[tokio::test(start_paused = true)]
async fn of_the_least_shown_the_ones_to_the_users_taste_come_first_and_no_creator_twice() {
    let item = |id, creator, tag: &str| {
        let tags = vec![tag.to_owned()];
        Item { creator: Some(creator), tags, ..Item::bare(ItemId(id)) }
    };
    let mut scene = exploring([0, 1]);
    let bare = (1..=100).map(|id| Item::bare(ItemId(id)));
    let cold = [item(501, 1, "war"), item(502, 2, "cats"), item(503, 2, "cats")];
    scene.view = fakes::view(bare.chain(cold).chain([item(600, 9, "cats")]), &[]);
    scene.fake.channels[TRENDING].1.cold_impressions = vec![0, 0, 0];
    let bookmark = tributary_domain::Behaviour {
        item: ItemId(600),
        action: tributary_domain::Action::Bookmark,
        time: tributary_domain::Timestamp(1),
        dwell_ms: 0,
    };
    scene.fake.context.1.behaviours = vec![bookmark];
    // Trending has 503 before 502; both are by creator 2.
    assert_eq!(ids(&scene.run().await)[..2], [503, 501]);
    scene.fake.channels[TRENDING].1.cold_impressions = vec![4, 0, 4];
    assert_eq!(ids(&scene.run().await)[..2], [501, 503], "shown least first");
}
