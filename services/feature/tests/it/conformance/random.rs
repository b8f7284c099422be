//! Random calls on a store and on the model of it.

use std::collections::HashMap;

use proptest::{
    prelude::*,
    test_runner::{TestCaseError, TestRunner},
};
use tokio::{runtime::Runtime, sync::Mutex};
use tributary_domain::{
    Action, Behaviour, Event, Gender, Item, ItemId, ServedEvent, SourceChange, UserContext, UserId,
    UserProfile,
};
use tributary_feature::{Retention, Store, StoreError, store::Changes};

use super::Backend;
use crate::{
    harness::{event, served},
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
struct Pair<'b> {
    backend: &'b Backend,
    store: Store,
    model: Model,
    /// Calls of `apply` so far: the position that is stored.
    applied: u64,
    /// What each version of a user has stood for.
    versions: HashMap<(UserId, u64), (Option<UserProfile>, Vec<Behaviour>)>,
}

impl<'b> Pair<'b> {
    async fn new(backend: &'b mut Backend) -> Self {
        backend.clear().await;
        let retention =
            Retention { behaviours: 5, impressions_until_seen: 2, events: 8, seen: 1_000 };
        let backend = &*backend;
        let store = backend.open(retention).await;
        let model = Model::new(retention);
        Self { backend, store, model, applied: 0, versions: HashMap::new() }
    }

    async fn run(mut self, operations: Vec<Operation>) {
        for operation in operations {
            self = self.apply(operation).await;
            self.compare().await;
        }
        self.store.close().await;
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
                let name = self.store.name();
                self.store.close().await;
                self.store = self.backend.open(self.model.retention).await;
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

fn does_what_the_model_does(start: impl AsyncFnOnce() -> Backend, cases: u32) {
    let runtime = Runtime::new().unwrap();
    let backend = Mutex::new(runtime.block_on(start()));
    let config = ProptestConfig {
        cases,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let run = |operations| {
        runtime.block_on(async {
            let mut backend = backend.lock().await;
            Pair::new(&mut backend).await.run(operations).await;
        });
        Ok::<(), TestCaseError>(())
    };
    TestRunner::new(config).run(&operations(), run).unwrap();
}

#[test]
fn embedded() {
    does_what_the_model_does(async || Backend::embedded(), 32);
}

#[test]
fn redis() {
    does_what_the_model_does(Backend::server, 32);
}

#[test]
fn cluster() {
    does_what_the_model_does(Backend::cluster, 8);
}
