//! Order, shares and segments.

use proptest::prelude::*;
use tributary_domain::{Action, Behaviour, UserId, UserProfile};

use super::*;

const DAY: i64 = 86_400_000;

fn event(item: u64, action: Action, time: i64) -> Event {
    let time = Timestamp(time);
    let behaviour = Behaviour { item: ItemId(item), action, time, dwell_ms: 0 };
    Event { user: UserId(1), behaviour }
}

fn plain() -> TrendingConfig {
    TrendingConfig {
        half_life: Duration::from_secs(24 * 60 * 60),
        segment_share: 0.0,
        newest_share: 0.0,
        ..TrendingConfig::default()
    }
}

fn with_items(config: TrendingConfig, items: u64) -> Trending {
    let mut trending = Trending::new(config);
    for id in 1..=items {
        let created = i64::try_from(id).unwrap();
        trending.upsert(&Item { created: Some(Timestamp(created)), ..Item::bare(ItemId(id)) });
    }
    trending
}

fn numbers(list: &[ItemId]) -> Vec<u64> {
    list.iter().map(|item| item.0).collect()
}

fn ids(list: &[Scored]) -> Vec<u64> {
    list.iter().map(|scored| scored.item.0).collect()
}

fn cold() -> UserContext {
    UserContext::cold(UserId(9))
}

fn person(age: u8, gender: Gender) -> UserContext {
    let profile = UserProfile {
        id: UserId(9),
        age: Some(age),
        gender: Some(gender),
        occupation: String::new(),
        blocked_creators: Vec::new(),
        blocked_tags: Vec::new(),
    };
    UserContext { profile: Some(profile), ..cold() }
}

fn record_all(trending: &mut Trending, events: &[Event]) {
    for event in events {
        trending.record(event, None, None);
    }
}

#[test]
fn older_events_count_less() {
    let mut trending = with_items(plain(), 3);
    // Three views two days ago are worth three quarters of one now.
    record_all(&mut trending, &[event(2, Action::View, 0); 3]);
    record_all(&mut trending, &[event(1, Action::View, 2 * DAY)]);
    // Item 3 has no events: without a share, the newest only fill.
    assert_eq!(ids(&trending.recall(&cold(), 5)), [1, 2, 3]);
    record_all(&mut trending, &[event(2, Action::View, 0); 2]);
    assert_eq!(ids(&trending.recall(&cold(), 5)), [2, 1, 3]);
}

#[test]
fn actions_count_by_weight_and_hides_against() {
    let mut trending = with_items(plain(), 4);
    let events = [
        event(1, Action::Click, 0),
        event(2, Action::Bookmark, 0),
        event(3, Action::Share, 0),
        event(3, Action::Hide, 0),
        event(3, Action::Hide, 0),
        event(4, Action::Impression, 0),
    ];
    record_all(&mut trending, &events);
    assert_eq!(ids(&trending.recall(&cold(), 2)), [2, 1]);
    assert_eq!(numbers(&trending.popular(&cold(), 5)), [2, 1]);
}

#[test]
fn the_order_survives_centuries() {
    let mut trending = with_items(plain(), 3);
    record_all(&mut trending, &[event(1, Action::View, 0), event(2, Action::View, DAY)]);
    record_all(&mut trending, &[event(3, Action::View, 100_000 * DAY)]);
    record_all(&mut trending, &[event(3, Action::View, 0)]);
    assert_eq!(ids(&trending.recall(&cold(), 1)), [3]);
    assert!(trending.everybody.of(ItemId(3)).is_finite());
}

#[test]
fn a_fresh_catalogue_without_times_is_listed() {
    let mut trending = Trending::new(TrendingConfig::default());
    (1..=4).for_each(|id| trending.upsert(&Item::bare(ItemId(id))));
    assert_eq!(ids(&trending.recall(&cold(), 9)), [1, 2, 3, 4]);
    assert_eq!(ids(&trending.recall(&person(22, Gender::Female), 2)), [1, 2]);
    let context = UserContext { seen: vec![ItemId(1)], ..cold() };
    assert_eq!(ids(&trending.recall(&context, 2)), [2, 3]);
    // With an event and with a time they come first.
    record_all(&mut trending, &[event(4, Action::View, 0)]);
    trending.upsert(&Item { created: Some(Timestamp(-1)), ..Item::bare(ItemId(3)) });
    assert_eq!(ids(&trending.recall(&cold(), 9)), [4, 3, 1, 2]);
    trending.delete(ItemId(1));
    assert_eq!(ids(&trending.recall(&cold(), 9)), [4, 3, 2]);
    trending.restart_items();
    assert!(trending.recall(&cold(), 9).is_empty());
}

#[test]
fn the_parts_take_turns() {
    let config = TrendingConfig { newest_share: 0.25, ..plain() };
    let mut trending = with_items(config, 20);
    for item in 1..=10_u64 {
        for _ in item..=10 {
            record_all(&mut trending, &[event(item, Action::View, 0)]);
        }
    }
    let list = ids(&trending.recall(&cold(), 8));
    assert_eq!(list, [1, 2, 20, 3, 4, 5, 19, 6]);
    assert_eq!(trending.recall(&cold(), 40).len(), 20);
}

#[test]
fn segments_have_their_own_order() {
    let config = TrendingConfig { segment_share: 1.0, segment_smoothing: 0.1, ..plain() };
    let mut trending = with_items(config, 3);
    for (item, age, gender, times) in
        [(1, 40, Gender::Male, 9), (2, 20, Gender::Female, 5), (3, 20, Gender::Male, 4)]
    {
        for _ in 0..times {
            trending.record(&event(item, Action::View, 0), Some(age), Some(gender));
        }
    }
    assert_eq!(ids(&trending.recall(&cold(), 3)), [1, 2, 3]);
    assert_eq!(ids(&trending.recall(&person(22, Gender::Female), 3)), [2, 1, 3]);
    assert_eq!(ids(&trending.recall(&person(22, Gender::Male), 3)), [3, 1, 2]);
    // Nobody of that age and gender: the gender's list, since nobody is of that age either.
    assert_eq!(ids(&trending.recall(&person(70, Gender::Female), 1)), [2]);
    let nobody = person(70, Gender::Other);
    assert_eq!(ids(&trending.recall(&nobody, 3)), [1, 2, 3]);
}

#[test]
fn lists_only_what_is_there() {
    let mut trending = with_items(TrendingConfig { newest_share: 0.5, ..plain() }, 4);
    for item in 1..=5 {
        record_all(&mut trending, &[event(item, Action::View, 0)]);
    }
    let hidden = Item { hidden: true, ..Item::bare(ItemId(3)) };
    trending.apply(&[ItemChange::Deleted(ItemId(1)), ItemChange::Upserted(hidden)]);
    let context = UserContext { seen: vec![ItemId(2)], ..cold() };
    assert_eq!(ids(&trending.recall(&context, 9)), [4]);
    trending.restart_items();
    assert!(trending.recall(&cold(), 9).is_empty());
}

#[test]
fn starts_from_nothing() {
    let mut trending = with_items(plain(), 2);
    trending.record(&event(1, Action::View, 0), Some(30), Some(Gender::Male));
    trending.restart_events();
    record_all(&mut trending, &[event(2, Action::View, 0)]);
    assert_eq!(ids(&trending.recall(&cold(), 1)), [2]);
}

#[test]
fn age_bands_include_their_lower_bound() {
    let band = |age: u8| Segment::all_of(Some(age), None, &[18, 25]).next().unwrap().age_band;
    assert_eq!([17, 18, 24, 25, 90].map(band), [0, 1, 1, 2, 2].map(Some));
    assert_eq!(Segment::all_of(None, None, &[18]).count(), 0);
}

proptest! {
    /// The order depends on how far apart the events are, not on when they were.
    #[test]
    fn shifting_time_changes_nothing(
        events in prop::collection::vec((1_u64..8, 0_usize..6, 0_i64..30), 0..60),
        shift in 0_i64..20_000,
        seen in prop::collection::btree_set(1_u64..8, 0..4),
    ) {
        let recall = |shift: i64| {
            let mut trending = with_items(TrendingConfig::default(), 7);
            for (item, action, day) in &events {
                let event = event(*item, Action::ALL[*action], (day + shift) * DAY);
                trending.record(&event, Some(30), Some(Gender::Female));
            }
            let seen = seen.iter().copied().map(ItemId).collect();
            trending.recall(&UserContext { seen, ..person(30, Gender::Female) }, 7)
        };
        let list = recall(0);
        prop_assert_eq!(&list, &recall(shift));
        prop_assert!(list.is_sorted_by(|one, next| one.best_first(next).is_lt()));
        prop_assert!(list.iter().all(|scored| !seen.contains(&scored.item.0)));
        // Some have no events, but all are new.
        prop_assert_eq!(list.len(), 7 - seen.len());
    }
}
