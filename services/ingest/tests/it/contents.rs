//! What the database and the feature service hold, read apart from each other: the database by
//! SQL's own functions, not by the code under test.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::{Conn, Row, prelude::Queryable};
use tributary_domain::{Action, Item, ItemId, Timestamp, UserId};
use tributary_testkit::FakeFeature;

/// User, item, action, time.
pub(crate) type Happening = (u64, u64, Action, i64);

/// All that is followed.
#[derive(Debug, PartialEq)]
pub(crate) struct Contents {
    pub(crate) items: BTreeMap<u64, Item>,
    pub(crate) users: BTreeSet<u64>,
    pub(crate) events: BTreeSet<Happening>,
    /// No event is there twice.
    pub(crate) repeated: usize,
}

impl Contents {
    /// Of the illustration schema; missing columns are as good as unknown.
    pub(crate) async fn of_database(sql: &mut Conn) -> Self {
        let items: Vec<Row> = sql
            .query("SELECT *, ROUND(UNIX_TIMESTAMP(create_time) * 1000) AS ms FROM illust")
            .await
            .unwrap();
        let users: Vec<u64> = sql.query("SELECT user_id FROM user").await.unwrap();
        let events: Vec<(u64, u64, i8, i64)> = sql
            .query(
                "SELECT user_id, illust_id, label, \
                 CAST(ROUND(UNIX_TIMESTAMP(create_time) * 1000) AS SIGNED) FROM interaction",
            )
            .await
            .unwrap();
        let action = |label| if label == 1 { Action::Bookmark } else { Action::View };
        let events: BTreeSet<Happening> = events
            .into_iter()
            .map(|(user, item, label, time)| (user, item, action(label), time))
            .collect();
        let items = items.iter().map(item).map(|item| (item.id.0, item)).collect();
        Self { items, users: users.into_iter().collect(), events, repeated: 0 }
    }

    /// The users are looked for by id: those of `wanted` and a few more.
    pub(crate) fn of_feature(feature: &FakeFeature, wanted: &Self) -> Self {
        let events = feature.events();
        let all = events.len();
        let events: BTreeSet<Happening> = events
            .into_iter()
            .map(|event| {
                let behaviour = event.behaviour;
                (event.user.0, behaviour.item.0, behaviour.action, behaviour.time.0)
            })
            .collect();
        let candidates = wanted.users.iter().copied().chain(1..300);
        let users = candidates.filter(|id| feature.context(UserId(*id)).profile.is_some());
        let repeated = all - events.len();
        Self {
            items: feature.items().into_iter().map(|item| (item.id.0, item)).collect(),
            users: users.collect(),
            events,
            repeated,
        }
    }
}

fn item(row: &Row) -> Item {
    let text = |name: &str| row.get::<Option<String>, _>(name).flatten().unwrap_or_default();
    let number = |name: &str| text(name).split('.').next().and_then(|whole| whole.parse().ok());
    let some = |name: &str| number(name).filter(|number: &u64| *number != 0);
    let tags = text("tags");
    let tags: serde_json::Value =
        if tags.is_empty() { serde_json::json!([]) } else { serde_json::from_str(&tags).unwrap() };
    let mut labels: Vec<String> = Vec::new();
    for tag in tags.as_array().unwrap() {
        for key in ["name", "translatedName"] {
            let label = tag[key].as_str().unwrap_or_default().to_owned();
            if !label.is_empty() && !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    let by_level =
        [(4, 15), (6, 18)].into_iter().find(|(level, _)| number("sanity_level") == Some(*level));
    let restricted = number("x_restrict").is_some_and(|flag| flag > 0);
    let age = by_level.map_or(0, |(_, age)| age).max(if restricted { 18 } else { 0 });
    Item {
        title: text("title"),
        creator: some("artist_id"),
        tags: labels,
        width: some("width").map(|pixels| pixels as u32),
        height: some("height").map(|pixels| pixels as u32),
        total_bookmarks: some("total_bookmarks"),
        total_views: some("total_view"),
        minimum_age: age,
        hidden: number("restrict").is_some_and(|flag| flag > 0),
        created: some("ms").map(|ms| Timestamp(ms as i64)),
        ..Item::bare(ItemId(row.get::<String, _>("illust_id").unwrap().parse().unwrap()))
    }
}
