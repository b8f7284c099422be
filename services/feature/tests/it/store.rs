//! The store against the model, and under many callers.

use std::collections::HashMap;

use futures::future::join_all;
use proptest::prelude::*;
use tokio::runtime::Runtime;
use tributary_domain::{
    Action, Behaviour, Event, Gender, Item, ItemId, ServedEvent, SourceChange, UserContext, UserId,
    UserProfile,
};
use tributary_feature::{Retention, Store, StoreConfig, StoreError, store::Changes};
use tributary_testkit::TestFolder;

use crate::{
    harness::{bare, event, served, store_in},
    model::Model,
};

const USERS: u64 = 4;
const ITEMS: u64 = 6;

#[derive(Debug, Clone)]
enum Operation {
    UpsertItems(Vec<Item>),
    DeleteItems(Vec<ItemId>),
    UpsertUsers(Vec<UserProfile>),
    DeleteUser(UserId),
    Record(Vec<ServedEvent>),
    Apply(Vec<SourceChange>),
    Reopen,
}

fn item() -> impl Strategy<Value = Item> {
    (1..=ITEMS, 0_u8..3)
        .prop_map(|(id, title)| Item { title: title.to_string(), ..Item::bare(ItemId(id)) })
}

fn user() -> impl Strategy<Value = UserProfile> {
    (1..=USERS, 0_u8..3).prop_map(|(id, age)| UserProfile {
        id: UserId(id),
        age: (age != 0).then_some(age),
        gender: (age == 2).then_some(Gender::Male),
        occupation: String::new(),
        blocked_creators: Vec::new(),
        blocked_tags: Vec::new(),
    })
}

fn an_event() -> impl Strategy<Value = Event> {
    // Few times, so that there are duplicates; impressions are as frequent as all else together.
    let action = prop_oneof![Just(Action::Impression), prop::sample::select(Action::ALL.to_vec()),];
    (1..=USERS, 1..=ITEMS, action, 1_i64..12)
        .prop_map(|(user, item, action, time)| event(user, item, action, time))
}

fn served_event() -> impl Strategy<Value = ServedEvent> {
    (an_event(), prop::option::of((1_u32..5).prop_map(served)))
        .prop_map(|(event, served)| ServedEvent { event, served })
}

fn change() -> impl Strategy<Value = SourceChange> {
    prop_oneof![
        2 => item().prop_map(SourceChange::UpsertedItem),
        1 => (1..=ITEMS).prop_map(|id| SourceChange::DeletedItem(ItemId(id))),
        1 => user().prop_map(SourceChange::UpsertedUser),
        1 => (1..=USERS).prop_map(|id| SourceChange::DeletedUser(UserId(id))),
        8 => an_event().prop_map(SourceChange::RecordedEvent),
        6 => an_event().prop_map(SourceChange::RetractedEvent),
    ]
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let ids = prop::collection::vec((1..=ITEMS).prop_map(ItemId), 1..4);
    let operation = prop_oneof![
        3 => prop::collection::vec(item(), 1..5).prop_map(Operation::UpsertItems),
        1 => ids.prop_map(Operation::DeleteItems),
        2 => prop::collection::vec(user(), 1..4).prop_map(Operation::UpsertUsers),
        1 => (1..=USERS).prop_map(|user| Operation::DeleteUser(UserId(user))),
        6 => prop::collection::vec(served_event(), 1..8).prop_map(Operation::Record),
        5 => prop::collection::vec(change(), 0..12).prop_map(Operation::Apply),
        1 => Just(Operation::Reopen),
    ];
    prop::collection::vec(operation, 1..40)
}

/// A store and the model of what it should hold.
struct Pair {
    folder: TestFolder,
    store: Store,
    model: Model,
    /// Calls of `apply` so far: the position that is stored.
    applied: u64,
    /// What each version of a user has stood for.
    versions: HashMap<(UserId, u64), (Option<UserProfile>, Vec<Behaviour>)>,
}

impl Pair {
    fn new() -> Self {
        let folder = TestFolder::new("store-model");
        let retention =
            Retention { behaviours: 5, impressions_until_seen: 2, events: 8, seen: 1_000 };
        let store = store_in(folder.path(), retention);
        let model = Model::new(retention);
        Self { folder, store, model, applied: 0, versions: HashMap::new() }
    }

    async fn run(mut self, operations: Vec<Operation>) {
        for operation in operations {
            self = self.apply(operation).await;
            self.compare().await;
        }
    }

    async fn apply(mut self, operation: Operation) -> Self {
        let (store, model) = (&self.store, &mut self.model);
        match operation {
            Operation::UpsertItems(items) => {
                let expected = model.upsert_items(&items);
                assert_eq!(store.upsert_items(items).await.unwrap(), expected);
            }
            Operation::DeleteItems(ids) => {
                let expected = model.delete_items(&ids);
                assert_eq!(store.delete_items(ids).await.unwrap(), expected);
            }
            Operation::UpsertUsers(users) => {
                let expected = model.upsert_users(&users);
                assert_eq!(store.upsert_users(users).await.unwrap(), expected);
            }
            Operation::DeleteUser(user) => {
                let expected = model.delete_user(user);
                assert_eq!(store.delete_user(user).await.unwrap(), expected);
            }
            Operation::Record(events) => {
                let expected = model.record(&events);
                assert_eq!(store.record(events).await.unwrap(), expected);
            }
            Operation::Apply(changes) => {
                let expected = model.apply(&changes);
                let changes = Changes {
                    source: "source".to_owned(),
                    position: position(self.applied + 1),
                    expected: position(self.applied),
                    changes,
                };
                assert_eq!(store.apply(changes.clone()).await.unwrap(), expected);
                self.applied += 1;
                // Again: refused, and nothing of it is written.
                let refused = store.apply(changes).await.unwrap_err();
                assert!(matches!(refused, StoreError::Position { .. }), "{refused}");
            }
            Operation::Reopen => {
                let name = self.store.name().to_owned();
                self.store.close().await;
                self.store = store_in(self.folder.path(), self.model.retention);
                assert_eq!(self.store.name(), name);
            }
        }
        self
    }

    async fn compare(&mut self) {
        let stored = self.store.position("source".to_owned()).await.unwrap();
        assert_eq!(stored, position(self.applied));
        for user in (1..=USERS).map(UserId) {
            let context = self.store.context(user).await.unwrap();
            let UserContext { version, .. } = context;
            let meaning = (context.profile.clone(), context.behaviours.clone());
            assert_eq!(version == 0, meaning == (None, Vec::new()));
            let meant = self.versions.entry((user, version)).or_insert_with(|| meaning.clone());
            assert_eq!(*meant, meaning, "version {version} stands for two states");
            assert_eq!(UserContext { version: 0, ..context }, self.model.context(user));
        }
        let ids: Vec<ItemId> = (1..=ITEMS).map(ItemId).collect();
        let expected: Vec<_> = ids.iter().map(|id| self.model.item(*id)).collect();
        assert_eq!(self.store.items(ids).await.unwrap(), expected);
        self.compare_logs().await;
    }

    async fn compare_logs(&self) {
        let (store, model) = (&self.store, &self.model);
        for after in [0, 1, model.item_head / 2, model.item_head, model.item_head + 1] {
            let page = store.item_changes(after).await.unwrap();
            assert_eq!(page.entries, model.changes_after(after));
            assert_eq!((page.head, page.complete), (model.item_head, true));
        }
        for after in [0, model.event_head / 2, model.event_head] {
            let mut page = store.events(after).await.unwrap();
            page.entries.iter_mut().for_each(|(_, logged)| logged.user_version = 0);
            assert_eq!(page.entries, model.events_after(after));
            assert_eq!((page.head, page.truncated), (model.event_head, after < model.dropped));
        }
        let heads = *store.heads().borrow();
        assert_eq!((heads.items, heads.events), (model.item_head, model.event_head));
    }
}

/// Empty at the start, as a position that was never stored.
fn position(applied: u64) -> Vec<u8> {
    match applied {
        0 => Vec::new(),
        applied => applied.to_string().into_bytes(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(operations in operations()) {
        Runtime::new().unwrap().block_on(Pair::new().run(operations));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_at_once_are_all_counted_once() {
    let folder = TestFolder::new("store-callers");
    let store = store_in(folder.path(), Retention::default());
    // Every caller sends the same events, each in its own order.
    let callers = (0..8_i64).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut recorded = 0;
            for step in 0..50_i64 {
                let time = 1 + (step * 7 + caller * 13) % 50;
                let written = store.record(bare([event(1, 1, Action::Click, time)])).await.unwrap();
                recorded += written.recorded;
            }
            recorded
        })
    });
    let recorded: u32 = join_all(callers).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(recorded, 50);
    store.upsert_items(vec![Item::bare(ItemId(1))]).await.unwrap();
    let stored = store.items(vec![ItemId(1)]).await.unwrap().remove(0).unwrap();
    assert_eq!(stored.counters.clicks, 50);
    let context = store.context(UserId(1)).await.unwrap();
    let times: Vec<i64> = context.behaviours.iter().map(|behaviour| behaviour.time.0).collect();
    assert_eq!(times, (1..=50).collect::<Vec<_>>());
    assert_eq!(store.events(0).await.unwrap().entries.len(), 50);
}

#[tokio::test]
async fn a_full_queue_refuses_and_keeps_its_promises() {
    let folder = TestFolder::new("store-queue");
    let data = folder.path().to_owned();
    let config = StoreConfig { data, write_queue: 2, ..StoreConfig::default() };
    let store = Store::open(&config, Retention::default()).unwrap();
    let calls = (1..=200).map(|time| store.record(bare([event(1, 1, Action::Click, time)])));
    let outcomes = join_all(calls).await;
    let acknowledged = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(StoreError::QueueFull)));
    assert!(acknowledged >= 2, "{acknowledged} acknowledged");
    assert_eq!(refused.count(), 200 - acknowledged);
    assert!(acknowledged < 200, "nothing was refused");
    assert_eq!(store.events(0).await.unwrap().entries.len(), acknowledged);
}

#[tokio::test]
async fn impressions_leave_the_version_alone() {
    let folder = TestFolder::new("store-version");
    let store = store_in(folder.path(), Retention::default());
    let version = async || store.context(UserId(1)).await.unwrap().version;
    assert_eq!(version().await, 0);
    store.record(bare([event(1, 1, Action::Click, 1)])).await.unwrap();
    let clicked = version().await;
    assert_ne!(clicked, 0);
    store.record(bare([event(1, 2, Action::Impression, 2)])).await.unwrap();
    store.record(bare([event(1, 1, Action::Click, 1)])).await.unwrap();
    assert_eq!(version().await, clicked);
    store.record(bare([event(1, 2, Action::View, 3)])).await.unwrap();
    assert_ne!(version().await, clicked);
}

#[tokio::test]
async fn logged_events_carry_the_version_after_them() {
    let folder = TestFolder::new("store-logged");
    let store = store_in(folder.path(), Retention::default());
    let mut versions = Vec::new();
    for (action, time) in [(Action::Click, 1), (Action::Impression, 2), (Action::View, 3)] {
        store.record(bare([event(1, 1, action, time)])).await.unwrap();
        versions.push(store.context(UserId(1)).await.unwrap().version);
    }
    assert!(versions[0] == versions[1] && versions[1] < versions[2], "{versions:?}");
    let page = store.events(0).await.unwrap();
    let logged: Vec<u64> = page.entries.iter().map(|(_, logged)| logged.user_version).collect();
    assert_eq!(logged, versions);
}

#[tokio::test]
async fn a_retraction_brings_back_what_it_pushed_out() {
    let folder = TestFolder::new("store-retract");
    let retention = Retention { behaviours: 2, ..Retention::default() };
    let store = store_in(folder.path(), retention);
    let clicks = (1_i64..=3).map(|time| event(1, time.unsigned_abs(), Action::Click, time));
    store.record(bare(clicks)).await.unwrap();
    let before = store.context(UserId(1)).await.unwrap();
    let retract = |event| Changes {
        source: "source".to_owned(),
        position: vec![1],
        expected: Vec::new(),
        changes: vec![SourceChange::RetractedEvent(event)],
    };
    store.apply(retract(event(1, 3, Action::Click, 3))).await.unwrap();
    let after = store.context(UserId(1)).await.unwrap();
    let items: Vec<u64> = after.behaviours.iter().map(|behaviour| behaviour.item.0).collect();
    assert_eq!(items, [1, 2]);
    assert_eq!(after.seen, [ItemId(1), ItemId(2)]);
    assert!(after.version > before.version);
}

#[tokio::test]
async fn long_logs_come_in_pages_that_join() {
    let folder = TestFolder::new("store-pages");
    let store = store_in(folder.path(), Retention::default());
    let long = "x".repeat(20_000);
    let item = |id| Item { text: long.clone(), ..Item::bare(ItemId(id)) };
    store.upsert_items((1..=150).map(item).collect()).await.unwrap();
    let (mut after, mut pages) = (0, 0);
    loop {
        let page = store.item_changes(after).await.unwrap();
        let sequences: Vec<u64> = page.entries.iter().map(|(sequence, _)| *sequence).collect();
        let expected: Vec<u64> = (after + 1..).take(sequences.len()).collect();
        assert_eq!(sequences, expected);
        after = *sequences.last().unwrap();
        pages += 1;
        if page.complete {
            break;
        }
    }
    assert_eq!(after, 150);
    assert!(pages > 1);
}

/// Prints how long 100,000 events take: run with `--release -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "measures"]
async fn a_hundred_thousand_events() {
    let folder = TestFolder::new("store-load");
    let store = store_in(folder.path(), Retention::default());
    let started = std::time::Instant::now();
    for call in 0..100_u64 {
        let events = (0..1_000_u64).map(|row| {
            let user = 1 + (call * 1_000 + row).wrapping_mul(2_654_435_761) % 943;
            let time = i64::try_from(1 + call * 1_000 + row).unwrap();
            event(user, 1 + row.wrapping_mul(7_919) % 1_682, Action::Click, time)
        });
        assert_eq!(store.record(bare(events)).await.unwrap().recorded, 1_000);
    }
    println!("100,000 events in calls of 1,000: {:?}", started.elapsed());
    let started = std::time::Instant::now();
    for user in 1..=943 {
        store.context(UserId(user)).await.unwrap();
    }
    println!("one user's context: {:?}", started.elapsed() / 943);
}
