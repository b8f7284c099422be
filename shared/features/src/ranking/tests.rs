use std::sync::Arc;

use tributary_domain::{
    Action, Behaviour, Event, Gender, Item, ItemId, Timestamp, UserContext, UserId, UserProfile,
};

use super::*;
use crate::{Encoder, Field, Fitter, Record, Side, Source, Value};

mod laws;

const DAY: i64 = 86_400_000;

fn behaviour(item: u64, action: Action, day: i64) -> Behaviour {
    Behaviour { item: ItemId(item), action, time: Timestamp(day * DAY), dwell_ms: 0 }
}

fn event(item: u64, action: Action, day: i64) -> Event {
    Event { user: UserId(1), behaviour: behaviour(item, action, day) }
}

fn item(id: u64) -> Item {
    let (genres, year): (&[&str], _) = match id {
        1 => (&["Comedy"], 1990),
        2 => (&["Comedy", "Drama"], 1994),
        3 => (&["Drama"], 1980),
        _ => (&["War"], 1970),
    };
    Item {
        genres: genres.iter().map(|genre| (*genre).to_owned()).collect(),
        tags: vec![format!("tag {}", id % 2)],
        creator: Some(id % 2 + 1),
        year: Some(year),
        created: Some(Timestamp(0)),
        width: Some(640),
        height: Some(480),
        total_bookmarks: Some(59),
        total_views: Some(251),
        ..Item::bare(ItemId(id))
    }
}

/// Liked 1, watched 2, hid 4, liked 1 again on day 9.
fn context() -> UserContext {
    UserContext {
        profile: Some(UserProfile {
            id: UserId(1),
            age: Some(30),
            gender: Some(Gender::Female),
            occupation: "writer".into(),
            blocked_creators: vec![],
            blocked_tags: vec![],
        }),
        behaviours: vec![
            behaviour(1, Action::View, 1),
            behaviour(1, Action::Bookmark, 2),
            behaviour(2, Action::View, 3),
            behaviour(4, Action::Hide, 4),
            behaviour(1, Action::Share, 9),
        ],
        ..UserContext::cold(UserId(1))
    }
}

fn view() -> UserView {
    UserView::new(&context(), &|id| Some(Arc::new(item(id.0))))
}

fn check(record: &dyn Record, cases: &[(&str, Value<'_>)]) {
    for (field, expected) in cases {
        let close = match (record.value(field), expected) {
            (Value::Number(found), Value::Number(expected)) => (found - expected).abs() < 1e-9,
            (found, expected) => found == *expected,
        };
        assert!(close, "{field}: {:?} is not {expected:?}", record.value(field));
        assert_eq!(record.value(field), record.resolved(&Field::new(*field)), "{field}");
    }
}

#[test]
fn records_hold_what_the_context_says() {
    let view = view();
    let (genres, tags) = (["Comedy".to_owned(), "Drama".to_owned()], ["tag 0".to_owned()]);
    check(
        &UserRecord(&view),
        &[
            ("user.id", Value::Id(1)),
            ("user.age", Value::Number(30.0)),
            ("user.gender", Value::Text("female")),
            ("user.occupation", Value::Text("writer")),
            ("user.history_length", Value::Number(2.0)),
            // One of two liked, drawn towards one half by four.
            ("user.like_rate", Value::Number(0.5)),
            ("history.items", Value::Ids(&[2, 1])),
            ("history.liked", Value::Ids(&[1])),
            ("history.hidden", Value::Ids(&[4])),
            ("item.id", Value::Missing),
            ("nonsense", Value::Missing),
        ],
    );
    let candidate = item(2);
    check(
        &ItemRecord(&candidate),
        &[
            ("item.id", Value::Id(2)),
            ("item.genres", Value::Texts(&genres)),
            ("item.tags", Value::Texts(&tags)),
            ("item.creator", Value::Id(1)),
            ("item.year", Value::Number(1994.0)),
            ("item.width", Value::Number(640.0)),
            ("item.height", Value::Number(480.0)),
            ("item.total_bookmarks", Value::Number(59.0)),
            ("item.total_views", Value::Number(251.0)),
            ("user.age", Value::Missing),
        ],
    );
}

#[test]
fn pairs_are_computed_by_hand() {
    let view = view();
    let mut statistics = Statistics::new();
    for (id, action) in [(2, Action::View), (2, Action::Bookmark), (3, Action::Click)] {
        statistics.record(&event(id, action, 0));
    }
    let evidence = [Evidence { channel: "two-tower".into(), position: 4, score: 0.5 }];
    let candidate = item(2);
    let older = (-1.0_f64 / 20.0).exp2();
    let said = [
        ("ease", Past::Liked, Form::Score, 0.25),
        ("ease", Past::Liked, Form::Standing, 1.5),
        ("graph", Past::Recent, Form::Score, -2.0),
    ]
    .map(|(table, past, form, score)| Affinity {
        name: AffinityName { table: table.into(), past, form },
        score,
    });
    let record = RankingRecord::new(&view, &candidate, statistics.of(candidate.id), &evidence)
        .with_affinities(&said);
    check(
        &record,
        &[
            ("statistics.interactions", Value::Number(2.0)),
            ("statistics.likes", Value::Number(1.0)),
            // All items: (1 + 1) / (3 + 2); this one: (1 + 20 · 0.4) / (2 + 20).
            ("statistics.like_rate", Value::Number(9.0 / 22.0)),
            ("statistics.recent", Value::Number(2.0)),
            // Item 1, the newest, weighs 1; item 2 weighs `older`.
            // Comedy: 1 of 1 liked, all watched. Drama: none liked, item 2 watched.
            ("pair.genre_affinity.liked", Value::Number(0.5)),
            ("pair.genre_affinity.watched", Value::Number((1.0 + older / (1.0 + older)) / 2.0)),
            // Comedy: 1 liked of 1 + older. Drama: 0 of older. Four times one half joins both.
            (
                "pair.genre_like_rate",
                Value::Number((3.0 / (5.0 + older) + 2.0 / (older + 4.0)) / 2.0),
            ),
            // Of items 1 and 2 both are comedies and one a drama; 1 alone is liked.
            ("pair.genre_share.liked", Value::Number(0.5)),
            ("pair.genre_share.watched", Value::Number(0.75)),
            // Item 1 is 4 of 12 years away, item 2 is the candidate itself.
            ("pair.year_share.liked", Value::Number(8.0 / 12.0)),
            ("pair.year_share.watched", Value::Number((8.0 / 12.0 + 1.0) / 2.0)),
            ("pair.tag_affinity", Value::Number(0.0)),
            ("pair.creator_affinity", Value::Number(older / (1.0 + older))),
            ("pair.year_distance", Value::Number(4.0)),
            ("pair.days_since_created", Value::Number(9.0)),
            ("evidence.channels", Value::Number(1.0)),
            ("evidence.two-tower.position", Value::Number(4.0)),
            ("evidence.two-tower.reciprocal_position", Value::Number(0.25)),
            ("evidence.two-tower.score", Value::Number(0.5)),
            ("evidence.two-tower.present", Value::Number(1.0)),
            ("evidence.trending.position", Value::Missing),
            ("evidence.trending.reciprocal_position", Value::Number(0.0)),
            ("evidence.trending.score", Value::Missing),
            ("evidence.trending.present", Value::Number(0.0)),
            ("evidence.trending.colour", Value::Missing),
            ("affinity.ease.liked", Value::Number(0.25)),
            ("standing.ease.liked", Value::Number(1.5)),
            ("affinity.graph.recent", Value::Number(-2.0)),
            ("standing.graph.recent", Value::Missing),
            ("affinity.ease.engaged", Value::Missing),
            ("affinity.ease.disliked", Value::Missing),
            ("affinity..liked", Value::Missing),
            ("history.items", Value::Ids(&[2, 1])),
            ("item.id", Value::Id(2)),
        ],
    );
}

#[test]
fn cold_users_and_bare_items_have_nothing_in_common() {
    let view = UserView::new(&UserContext::cold(UserId(7)), &|_| None);
    let bare = Item::bare(ItemId(5));
    let record = RankingRecord::new(&view, &bare, Statistics::new().of(bare.id), &[]);
    for field in [
        "user.age",
        "user.gender",
        "user.occupation",
        "user.like_rate",
        "item.creator",
        "item.year",
        "item.width",
        "item.height",
        "item.total_bookmarks",
        "item.total_views",
        "pair.genre_affinity.liked",
        "pair.genre_affinity.watched",
        "pair.genre_like_rate",
        "pair.genre_share.liked",
        "pair.genre_share.watched",
        "pair.year_share.liked",
        "pair.year_share.watched",
        "pair.tag_affinity",
        "pair.creator_affinity",
        "pair.year_distance",
        "pair.days_since_created",
    ] {
        assert_eq!(record.value(field), Value::Missing, "{field}");
    }
    check(
        &record,
        &[
            ("statistics.like_rate", Value::Number(0.5)),
            ("user.history_length", Value::Number(0.0)),
        ],
    );
}

#[test]
fn only_engagement_is_counted_and_interest_fades() {
    let mut statistics = Statistics::new();
    for action in [Action::Impression, Action::Hide] {
        statistics.record(&event(1, action, 0));
    }
    assert_eq!(statistics, Statistics::new());
    statistics.record(&event(1, Action::Bookmark, 30));
    statistics.record(&event(1, Action::View, 0));
    let before = statistics.clone();
    statistics.record(&event(2, Action::View, 60));
    // Half a view of day 0 on day 30, and half of all that on day 60.
    assert!((before.of(ItemId(1)).recent - 1.5).abs() < 1e-9);
    assert!((statistics.of(ItemId(1)).recent - 0.75).abs() < 1e-9);
    assert_eq!(statistics.of(ItemId(1)).interactions, 2);
    assert_eq!(statistics.rows(), [(ItemId(1), 2, 1), (ItemId(2), 1, 0)]);
    assert_eq!((before.interactions(), statistics.interactions()), (2, 3));
}

#[test]
fn statistics_round_trip_and_damage_is_an_error() {
    let mut statistics = Statistics::new();
    for (id, day) in [(5, 3), (2, 7), (5, 40), (9, 1)] {
        statistics.record(&event(id, Action::Share, day));
    }
    let bytes = statistics.to_bytes();
    assert_eq!(Statistics::from_bytes(&bytes).unwrap(), statistics);
    let empty = Statistics::new();
    assert_eq!(Statistics::from_bytes(&empty.to_bytes()).unwrap(), empty);
    for end in [0, 5, bytes.len() / 2, bytes.len() - 1] {
        assert!(Statistics::from_bytes(&bytes[..end]).is_err(), "{end}");
    }
}

#[test]
fn specifications_read_and_name_real_fields() {
    for (name, specification) in [
        ("user_tower", specification::user_tower()),
        ("item_tower", specification::item_tower()),
        ("multi_interest_user", specification::multi_interest_user()),
        ("multi_interest_item", specification::multi_interest_item()),
        ("ranker", specification::ranker()),
    ] {
        specification.check_fields().expect(name);
    }
    let evidence = Field::new("evidence.a.b.score");
    assert!(
        matches!(evidence.source(), Source::Evidence { channel, .. } if channel.as_str() == "a.b")
    );
}

fn fit(specification: &crate::Specification) -> Encoder {
    let (view, mut statistics) = (view(), Statistics::new());
    let mut fitter = Fitter::new(specification).unwrap();
    for id in 1..=4 {
        let candidate = item(id);
        let evidence = [Evidence { channel: "search".into(), position: 1, score: 0.1 * id as f32 }];
        let record = RankingRecord::new(&view, &candidate, statistics.of(candidate.id), &evidence);
        fitter.observe(&record).unwrap();
        statistics.record(&event(id, Action::Bookmark, 10 + i64::try_from(id).unwrap()));
    }
    fitter.finish().unwrap()
}

/// What serving does (cached item rows, one user part, many candidates) against what training does
/// (row by row from whole records).
#[test]
fn serving_and_training_encode_the_same_bits() {
    let encoder = fit(&specification::ranker());
    let (view, mut statistics) = (view(), Statistics::new());
    statistics.record(&event(3, Action::Bookmark, 12));
    let candidates: Vec<Item> = (1..=6).map(item).chain([Item::bare(ItemId(77))]).collect();
    let cached: Vec<_> =
        candidates.iter().map(|one| encoder.part(Side::Item, &ItemRecord(one))).collect();
    let mut direct = encoder.batch();
    let mut rows = encoder.rows(&UserRecord(&view));
    for (candidate, part) in candidates.iter().zip(&cached) {
        let evidence = [Evidence { channel: "trending".into(), position: 3, score: 9.0 }];
        let record = RankingRecord::new(&view, candidate, statistics.of(candidate.id), &evidence);
        encoder.encode(&record, &mut direct);
        rows.push(part, &record);
    }
    let served = rows.finish();
    assert_eq!(served.rows, candidates.len());
    assert_eq!(served, direct);
    let towers = fit(&specification::user_tower());
    let mut batch = towers.batch();
    towers.encode(&UserRecord(&view), &mut batch);
    assert_eq!(batch.bags[0].len(), 50);
}
