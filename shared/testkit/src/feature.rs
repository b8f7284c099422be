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
    Action, Behaviour, Event, Gender, Item, ItemChange, ItemId, Served, ServedEvent, SourceChange,
    UserContext, UserId, UserProfile, gender_to_wire,
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
    events: Vec<Logged>,
    positions: BTreeMap<String, Vec<u8>>,
    /// Users deleted so far.
    user_deletions: u64,
    /// Answers every call but the watches.
    fault: Option<(Code, String)>,
    truncated: bool,
}

/// An entry of the event log.
#[derive(Clone)]
struct Logged {
    event: Event,
    age: Option<u8>,
    gender: Option<Gender>,
    served: Option<Served>,
    user_version: u64,
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

    /// All items, by id.
    pub fn items(&self) -> Vec<Item> {
        self.state.borrow().items.values().cloned().collect()
    }

    /// Adds or replaces items, as changes of the log.
    pub fn upsert(&self, items: impl IntoIterator<Item = Item>) {
        self.state.send_modify(|state| items.into_iter().for_each(|item| state.upsert(item)));
    }

    /// Deletes an item, as a change of the log.
    pub fn delete(&self, item: ItemId) {
        self.write(|state| state.delete(item));
    }

    /// Deletes a user: context and events.
    pub fn delete_user(&self, user: UserId) -> bool {
        self.write(|state| state.delete_user(user))
    }

    /// Appends to the event log, with the user's segment.
    pub fn log_event(&self, event: Event, age: Option<u8>, gender: Option<Gender>) {
        self.state.send_modify(|state| {
            let user_version = state.contexts.get(&event.user).map_or(0, |user| user.version);
            state.events.push(Logged { event, age, gender, served: None, user_version });
        });
    }

    /// All events of the log, in order.
    pub fn events(&self) -> Vec<Event> {
        self.state.borrow().events.iter().map(|logged| logged.event).collect()
    }

    /// All events of the log, each with how its item came to be shown.
    pub fn served_events(&self) -> Vec<ServedEvent> {
        let state = self.state.borrow();
        let served =
            |logged: &Logged| ServedEvent { event: logged.event, served: logged.served.clone() };
        state.events.iter().map(served).collect()
    }

    /// Up to where that database was read; empty where nothing was applied.
    pub fn position(&self, source: &str) -> Vec<u8> {
        self.state.borrow().positions.get(source).cloned().unwrap_or_default()
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

    /// Whether it was there.
    fn delete(&mut self, item: ItemId) -> bool {
        let existed = self.items.remove(&item).is_some();
        if existed {
            self.changes.push(ItemChange::Deleted(item));
        }
        existed
    }

    fn replace_profile(&mut self, profile: UserProfile) -> bool {
        let context = self.contexts.entry(profile.id);
        let context = context.or_insert_with(|| UserContext::cold(profile.id));
        context.version += 1;
        let differs = context.profile.as_ref() != Some(&profile);
        context.profile = Some(profile);
        differs
    }

    fn delete_user(&mut self, user: UserId) -> bool {
        self.events.retain(|logged| logged.event.user != user);
        self.user_deletions += 1;
        self.contexts.remove(&user).is_some()
    }

    /// Records an event once; what is not an impression enters the user's context.
    fn record(&mut self, ServedEvent { event, served }: ServedEvent) -> bool {
        let Event { user, behaviour } = event;
        let known: HashSet<_> = self.events.iter().map(|logged| identity(&logged.event)).collect();
        if known.contains(&identity(&event)) {
            return false;
        }
        let context = self.contexts.entry(user).or_insert_with(|| UserContext::cold(user));
        if behaviour.action != Action::Impression {
            see(context, behaviour);
        }
        let profile = context.profile.as_ref();
        let (age, gender) = (profile.and_then(|p| p.age), profile.and_then(|p| p.gender));
        let user_version = context.version;
        self.events.push(Logged { event, age, gender, served, user_version });
        true
    }

    fn retract(&mut self, event: &Event) -> bool {
        let before = self.events.len();
        self.events.retain(|logged| identity(&logged.event) != identity(event));
        let of_user = self.events.iter().filter(|logged| logged.event.user == event.user);
        let on_item: HashSet<ItemId> = of_user
            .map(|logged| logged.event.behaviour)
            .filter(|behaviour| behaviour.action != Action::Impression)
            .map(|behaviour| behaviour.item)
            .collect();
        if let Some(context) = self.contexts.get_mut(&event.user) {
            let same = |kept: &Behaviour| {
                let kept = Event { user: event.user, behaviour: *kept };
                identity(&kept) == identity(event)
            };
            context.behaviours.retain(|behaviour| !same(behaviour));
            context.seen.retain(|item| on_item.contains(item));
            context.version += 1;
        }
        self.events.len() < before
    }

    fn apply(&mut self, change: SourceChange) -> bool {
        match change {
            SourceChange::UpsertedItem(item) => {
                let differs = self.items.get(&item.id) != Some(&item);
                if differs {
                    self.upsert(item);
                }
                differs
            }
            SourceChange::DeletedItem(item) => self.delete(item),
            SourceChange::UpsertedUser(profile) => self.replace_profile(profile),
            SourceChange::DeletedUser(user) => self.delete_user(user),
            SourceChange::RecordedEvent(event) => self.record(event.into()),
            SourceChange::RetractedEvent(event) => self.retract(&event),
        }
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
    let message = wire::WatchItemsResponse {
        changes: changes.collect(),
        head: number(head),
        user_deletions: state.user_deletions,
    };
    (message, head)
}

fn events_after(state: &State, after: usize) -> (wire::WatchEventsResponse, usize) {
    let head = state.events.len();
    let new = state.events.iter().enumerate().skip(after);
    let events = new.map(|(index, logged)| wire::LoggedEvent {
        sequence: number(index + 1),
        event: Some(logged.event.into()),
        user_age: logged.age.map_or(0, u32::from),
        user_gender: gender_to_wire(logged.gender).into(),
        served: logged.served.clone().map(Into::into),
        user_version: logged.user_version,
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
        let (deleted, head) = self.write(|state| {
            let deleted = ids.into_iter().filter(|id| state.delete(ItemId(*id))).count();
            (deleted, state.item_head())
        });
        let (deleted, sequence) = (small(deleted), number(head));
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
        self.write(|state| {
            for profile in users {
                state.replace_profile(profile);
            }
        });
        Ok(Response::new(wire::UpsertUsersResponse { changed }))
    }

    async fn delete_user(
        &self,
        request: Request<wire::DeleteUserRequest>,
    ) -> Result<Response<wire::DeleteUserResponse>, Status> {
        self.check()?;
        let user = UserId(request.into_inner().user_id);
        Ok(Response::new(wire::DeleteUserResponse { existed: self.delete_user(user) }))
    }

    async fn record_events(
        &self,
        request: Request<wire::RecordEventsRequest>,
    ) -> Result<Response<wire::RecordEventsResponse>, Status> {
        self.check()?;
        let wire::RecordEventsRequest { events, served } = request.into_inner();
        let events = events.into_iter().map(Event::try_from);
        let events: Vec<Event> = events.collect::<Result<_, _>>().map_err(wrong)?;
        let served = served.into_iter().map(Served::from_wire);
        let mut served: Vec<Option<Served>> = served.collect::<Result<_, _>>().map_err(wrong)?;
        let all = events.len();
        if served.is_empty() {
            served.resize(all, None);
        }
        if served.len() != all {
            return Err(Status::invalid_argument("served: not one for each event"));
        }
        let both = events.into_iter().zip(served);
        let events = both.map(|(event, served)| ServedEvent { event, served });
        let recorded =
            self.write(|state| events.map(|event| state.record(event)).filter(|new| *new).count());
        let (recorded, duplicates) = (small(recorded), small(all - recorded));
        Ok(Response::new(wire::RecordEventsResponse { recorded, duplicates }))
    }

    async fn apply_changes(
        &self,
        request: Request<wire::ApplyChangesRequest>,
    ) -> Result<Response<wire::ApplyChangesResponse>, Status> {
        self.check()?;
        let wire::ApplyChangesRequest { source, position, expected_position, changes } =
            request.into_inner();
        let changes = changes.into_iter().map(SourceChange::try_from);
        let changes: Vec<SourceChange> = changes.collect::<Result<_, _>>().map_err(wrong)?;
        if self.position(&source) != expected_position {
            return Err(Status::failed_precondition("another position is stored"));
        }
        let all = changes.len();
        let (changed, head) = self.write(|state| {
            state.positions.insert(source, position);
            let changed = changes.into_iter().map(|change| state.apply(change));
            (changed.filter(|changed| *changed).count(), state.item_head())
        });
        let (changed, duplicates) = (small(changed), small(all - changed));
        let item_sequence = number(head);
        Ok(Response::new(wire::ApplyChangesResponse { changed, duplicates, item_sequence }))
    }

    async fn get_position(
        &self,
        request: Request<wire::GetPositionRequest>,
    ) -> Result<Response<wire::GetPositionResponse>, Status> {
        self.check()?;
        let position = self.position(&request.into_inner().source);
        Ok(Response::new(wire::GetPositionResponse { position }))
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
