//! A feature service in memory, whose contents the test writes and reads directly.

use std::{
    collections::{BTreeMap, HashSet},
    pin::Pin,
    sync::Arc,
};

use futures::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tonic::{Code, Request, Response, Status};
use tributary_domain::{
    Action, Behaviour, Event, Gender, Item, ItemChange, ItemId, UserContext, UserId, UserProfile,
    gender_to_wire,
};
use tributary_proto::feature::v1 as wire;
use wire::feature_service_server::{FeatureService, FeatureServiceServer};

use crate::FakeServer;

/// Contexts, items and events in memory, behind the real contract. Clones share them.
#[derive(Clone, Default)]
pub struct FakeFeature {
    state: Arc<watch::Sender<State>>,
}

#[derive(Default)]
struct State {
    contexts: BTreeMap<UserId, UserContext>,
    items: BTreeMap<ItemId, Item>,
    changes: Vec<ItemChange>,
    events: Vec<(Event, Option<u8>, Option<Gender>)>,
    /// Answers every call but the watches.
    fault: Option<(Code, String)>,
    truncated: bool,
}

impl FakeFeature {
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves it on a free port.
    pub fn start(&self) -> FakeServer {
        FakeServer::start(self.service())
    }

    /// The service, to be served together with others.
    pub fn service(&self) -> FeatureServiceServer<Self> {
        FeatureServiceServer::new(self.clone())
    }

    /// Sets what `GetUserContext` answers for the context's user.
    pub fn set_context(&self, context: UserContext) {
        self.state.send_modify(|state| {
            state.contexts.insert(context.user, context);
        });
    }

    /// The context of a user, cold where none was set.
    pub fn context(&self, user: UserId) -> UserContext {
        let state = self.state.borrow();
        state.contexts.get(&user).cloned().unwrap_or_else(|| UserContext::cold(user))
    }

    /// Adds or replaces items, as changes of the log.
    pub fn upsert(&self, items: impl IntoIterator<Item = Item>) {
        self.state.send_modify(|state| items.into_iter().for_each(|item| state.upsert(item)));
    }

    /// Deletes an item, as a change of the log.
    pub fn delete(&self, item: ItemId) {
        self.state.send_modify(|state| state.delete(item));
    }

    /// Appends to the event log, with the user's segment.
    pub fn log_event(&self, event: Event, age: Option<u8>, gender: Option<Gender>) {
        self.state.send_modify(|state| state.events.push((event, age, gender)));
    }

    /// All events of the log, in order.
    pub fn events(&self) -> Vec<Event> {
        self.state.borrow().events.iter().map(|(event, _, _)| *event).collect()
    }

    /// Forgets everything, so that the logs start again from 1, as a replaced store would.
    pub fn reset(&self) {
        self.state.send_replace(State::default());
    }

    /// Whether new watches of the event log say that its beginning is lost.
    pub fn set_truncated(&self, truncated: bool) {
        self.state.send_modify(|state| state.truncated = truncated);
    }

    /// Makes every call but the watches fail with `code`, or heals it with `None`.
    pub fn fail(&self, code: Option<Code>) {
        let fault = code.map(|code| (code, "the test says so".to_owned()));
        self.state.send_modify(|state| state.fault = fault);
    }

    fn check(&self) -> Result<(), Status> {
        match &self.state.borrow().fault {
            Some((code, message)) => Err(Status::new(*code, message.clone())),
            None => Ok(()),
        }
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut result = None;
        self.state.send_modify(|state| result = Some(change(state)));
        result.expect("send_modify runs the change")
    }
}

impl State {
    fn upsert(&mut self, item: Item) {
        self.items.insert(item.id, item.clone());
        self.changes.push(ItemChange::Upserted(item));
    }

    fn delete(&mut self, item: ItemId) {
        if self.items.remove(&item).is_some() {
            self.changes.push(ItemChange::Deleted(item));
        }
    }

    /// Records an event once; what is not an impression enters the user's context.
    fn record(&mut self, event: Event) -> bool {
        let Event { user, behaviour } = event;
        let known: HashSet<_> = self.events.iter().map(|(event, _, _)| identity(event)).collect();
        if known.contains(&identity(&event)) {
            return false;
        }
        let context = self.contexts.entry(user).or_insert_with(|| UserContext::cold(user));
        let profile = context.profile.as_ref();
        let segment = (profile.and_then(|p| p.age), profile.and_then(|p| p.gender));
        if behaviour.action != Action::Impression {
            see(context, behaviour);
        }
        self.events.push((event, segment.0, segment.1));
        true
    }

    fn item_head(&self) -> usize {
        self.changes.len()
    }
}

fn identity(event: &Event) -> (UserId, ItemId, Action, i64) {
    (event.user, event.behaviour.item, event.behaviour.action, event.behaviour.time.0)
}

fn see(context: &mut UserContext, behaviour: Behaviour) {
    context.behaviours.push(behaviour);
    context.behaviours.sort_by_key(|behaviour| behaviour.time);
    if let Err(place) = context.seen.binary_search(&behaviour.item) {
        context.seen.insert(place, behaviour.item);
    }
    context.version += 1;
}

fn number(count: usize) -> u64 {
    u64::try_from(count).expect("a count fits")
}

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("a count of one call fits")
}

fn wrong(error: tributary_domain::FieldError) -> Status {
    Status::invalid_argument(error.to_string())
}

type Watching<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The answers to a watch: what `answer` makes of the state after a number of entries already
/// sent, at once and whenever the log grows.
fn follow<T: Send + 'static>(
    states: watch::Receiver<State>,
    after: u64,
    answer: fn(&State, usize) -> (T, usize),
) -> Watching<T> {
    let after = usize::try_from(after).unwrap_or(usize::MAX);
    stream::unfold((states, after, true), move |(mut states, after, first)| async move {
        if !first {
            states.changed().await.ok()?;
        }
        let (message, after) = answer(&states.borrow_and_update(), after);
        Some((Ok(message), (states, after, false)))
    })
    .boxed()
}

fn items_after(state: &State, after: usize) -> (wire::WatchItemsResponse, usize) {
    let head = state.item_head();
    let changes = state.changes.iter().enumerate().skip(after).map(|(index, change)| {
        wire::ItemChange { sequence: number(index + 1), change: Some(change.clone().into()) }
    });
    let message = wire::WatchItemsResponse { changes: changes.collect(), head: number(head) };
    (message, head)
}

fn events_after(state: &State, after: usize) -> (wire::WatchEventsResponse, usize) {
    let head = state.events.len();
    let new = state.events.iter().enumerate().skip(after);
    let events = new.map(|(index, (event, age, gender))| wire::LoggedEvent {
        sequence: number(index + 1),
        event: Some((*event).into()),
        user_age: age.map_or(0, u32::from),
        user_gender: gender_to_wire(*gender).into(),
    });
    let (events, truncated) = (events.collect(), state.truncated);
    (wire::WatchEventsResponse { events, head: number(head), truncated }, head)
}

#[tonic::async_trait]
impl FeatureService for FakeFeature {
    async fn get_user_context(
        &self,
        request: Request<wire::GetUserContextRequest>,
    ) -> Result<Response<wire::GetUserContextResponse>, Status> {
        self.check()?;
        let user = UserId::from_wire(request.into_inner().user_id, "user_id").map_err(wrong)?;
        let context = Some(self.context(user).into());
        Ok(Response::new(wire::GetUserContextResponse { context }))
    }

    async fn get_items(
        &self,
        request: Request<wire::GetItemsRequest>,
    ) -> Result<Response<wire::GetItemsResponse>, Status> {
        self.check()?;
        let state = self.state.borrow();
        let mut answer = wire::GetItemsResponse::default();
        for id in request.into_inner().item_ids {
            match state.items.get(&ItemId(id)) {
                None => answer.unknown_item_ids.push(id),
                Some(item) => answer.items.push(wire::StoredItem {
                    item: Some(item.clone().into()),
                    counters: Some(tributary_domain::ItemCounters::default().into()),
                }),
            }
        }
        Ok(Response::new(answer))
    }

    async fn upsert_items(
        &self,
        request: Request<wire::UpsertItemsRequest>,
    ) -> Result<Response<wire::UpsertItemsResponse>, Status> {
        self.check()?;
        let items = request.into_inner().items.into_iter().map(Item::try_from);
        let items: Vec<Item> = items.collect::<Result<_, _>>().map_err(wrong)?;
        let changed = small(items.len());
        self.upsert(items);
        let sequence = number(self.state.borrow().item_head());
        Ok(Response::new(wire::UpsertItemsResponse { changed, sequence }))
    }

    async fn delete_items(
        &self,
        request: Request<wire::DeleteItemsRequest>,
    ) -> Result<Response<wire::DeleteItemsResponse>, Status> {
        self.check()?;
        let ids = request.into_inner().item_ids;
        let (before, after) = self.write(|state| {
            let before = state.item_head();
            ids.into_iter().for_each(|id| state.delete(ItemId(id)));
            (before, state.item_head())
        });
        let (deleted, sequence) = (small(after - before), number(after));
        Ok(Response::new(wire::DeleteItemsResponse { deleted, sequence }))
    }

    async fn upsert_users(
        &self,
        request: Request<wire::UpsertUsersRequest>,
    ) -> Result<Response<wire::UpsertUsersResponse>, Status> {
        self.check()?;
        let users = request.into_inner().users.into_iter().map(UserProfile::try_from);
        let users: Vec<UserProfile> = users.collect::<Result<_, _>>().map_err(wrong)?;
        let changed = small(users.len());
        for profile in users {
            let context = self.context(profile.id);
            let version = context.version + 1;
            self.set_context(UserContext { profile: Some(profile), version, ..context });
        }
        Ok(Response::new(wire::UpsertUsersResponse { changed }))
    }

    async fn delete_user(
        &self,
        request: Request<wire::DeleteUserRequest>,
    ) -> Result<Response<wire::DeleteUserResponse>, Status> {
        self.check()?;
        let user = UserId(request.into_inner().user_id);
        let existed = self.write(|state| state.contexts.remove(&user).is_some());
        Ok(Response::new(wire::DeleteUserResponse { existed }))
    }

    async fn record_events(
        &self,
        request: Request<wire::RecordEventsRequest>,
    ) -> Result<Response<wire::RecordEventsResponse>, Status> {
        self.check()?;
        let events = request.into_inner().events.into_iter().map(Event::try_from);
        let events: Vec<Event> = events.collect::<Result<_, _>>().map_err(wrong)?;
        let all = events.len();
        let recorded = self.write(|state| {
            events.into_iter().map(|event| state.record(event)).filter(|new| *new).count()
        });
        let (recorded, duplicates) = (small(recorded), small(all - recorded));
        Ok(Response::new(wire::RecordEventsResponse { recorded, duplicates }))
    }

    type WatchItemsStream = Watching<wire::WatchItemsResponse>;

    async fn watch_items(
        &self,
        request: Request<wire::WatchItemsRequest>,
    ) -> Result<Response<Self::WatchItemsStream>, Status> {
        let after = request.into_inner().after;
        Ok(Response::new(follow(self.state.subscribe(), after, items_after)))
    }

    type WatchEventsStream = Watching<wire::WatchEventsResponse>;

    async fn watch_events(
        &self,
        request: Request<wire::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let after = request.into_inner().after;
        Ok(Response::new(follow(self.state.subscribe(), after, events_after)))
    }
}
