//! What is known of a user counts at once, and is gone at once.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use tributary_domain::Timestamp;
use tributary_e2e::{Mesh, soon};
use tributary_proto::{
    entity::v1::{Action, Event, Gender, Item, UserContext, UserProfile},
    feature::v1::{
        DeleteUserRequest, GetUserContextRequest, LoggedEvent, UpsertItemsRequest,
        UpsertUsersRequest, WatchEventsRequest,
    },
    gateway::v1::{ExplainRequest, RecommendRequest, RecommendResponse, RecordEventsRequest},
    recall::v1::{RecallRequest, recall_service_client::RecallServiceClient},
};

const CHANNELS: [&str; 6] =
    ["two-tower", "multi-interest", "graph", "collaborative", "search", "trending"];
const VECTORS: [&str; 3] = ["two-tower", "multi-interest", "graph"];
/// Most of MovieLens 100K's events, which are loaded before anything happens here.
const LOADED: u64 = 95_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_user_gets_the_segments_list_and_one_bookmark_makes_it_personal() -> Result<()> {
    let mesh = Mesh::start()?;
    let (nobody, woman) = (9_200_001, 9_200_002);
    profile(&mesh, UserProfile { user_id: woman, age: 20, gender: FEMALE, ..<_>::default() })
        .await?;
    let plain = mesh.recommend(nobody, 20).await?;
    let hers = mesh.recommend(woman, 20).await?;
    for list in [&plain, &hers] {
        ensure!(list.items.iter().all(|item| item.channels == ["trending"]), "{list:?}");
    }
    ensure!(ids(&plain) != ids(&hers), "the profile's segment changes nothing");

    bookmark(&mesh, woman, 50).await?;
    let after = mesh.recommend(woman, 20).await?;
    ensure!(after.degraded.is_empty(), "{:?}", after.degraded);
    ensure!(ids(&after) != ids(&hers), "the first bookmark changes nothing");
    let channels: HashSet<&str> =
        after.items.iter().flat_map(|item| &item.channels).map(String::as_str).collect();
    ensure!(VECTORS.iter().any(|channel| channels.contains(channel)), "{channels:?}");

    // The user's place is that of the newest behaviour: each further bookmark moves it.
    let mut last = ids(&after);
    for item in [71, 176, 313] {
        bookmark(&mesh, woman, item).await?;
        let now = ids(&mesh.recommend(woman, 20).await?);
        ensure!(now != last && !now.contains(&item), "bookmark of {item}: {last:?}, then {now:?}");
        last = now;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_creators_and_tags_are_out_of_the_next_list() -> Result<()> {
    let mesh = Mesh::start()?;
    let (user, item, creator) = (9_200_003, 9_200_100, 77);
    let new = Item {
        item_id: item,
        title: "By somebody".into(),
        creator_id: creator,
        tags: vec!["unloved".into()],
        created_ms: Timestamp::now().0,
        ..Item::default()
    };
    mesh.feature().await?.upsert_items(UpsertItemsRequest { items: vec![new] }).await?;
    let has_it = async || Ok(ids(&mesh.recommend(user, 10).await?).contains(&item));
    for (blocked, filter) in [
        (UserProfile { blocked_creator_ids: vec![creator], ..<_>::default() }, "blocked_creator"),
        (UserProfile { blocked_tags: vec!["unloved".into()], ..<_>::default() }, "blocked_tag"),
    ] {
        profile(&mesh, UserProfile { user_id: user, ..<_>::default() }).await?;
        soon("the new item is shown", &has_it).await?;
        profile(&mesh, UserProfile { user_id: user, ..blocked }).await?;
        ensure!(!has_it().await?, "{filter} does not hold in the next list");
        let asked =
            ExplainRequest { user_id: user, item_ids: vec![item], size: 10, ..<_>::default() };
        let answer = mesh.gateway().await?.explain(asked).await?.into_inner();
        ensure!(answer.verdicts[0].filter == filter, "{:?}", answer.verdicts);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_deleted_user_is_left_anywhere() -> Result<()> {
    let mesh = Mesh::start()?;
    let user = 9_200_004;
    let cold = ids(&mesh.recommend(user, 10).await?);
    profile(&mesh, UserProfile { user_id: user, age: 30, ..<_>::default() }).await?;
    for item in [50, 71, 176] {
        bookmark(&mesh, user, item).await?;
    }
    let personal = ids(&mesh.recommend(user, 10).await?);
    ensure!(personal != cold, "bookmarks change nothing");
    let known = context(&mesh, user).await?;
    for channel in CHANNELS {
        soon(channel, async || cached(&mesh, channel, &known).await).await?;
    }

    let deleted = mesh.feature().await?.delete_user(DeleteUserRequest { user_id: user }).await?;
    ensure!(deleted.into_inner().existed, "the user was not known");
    for channel in CHANNELS {
        // Asking makes the list anew: once that was so, the old one was gone.
        soon(channel, async || Ok(!cached(&mesh, channel, &known).await?)).await?;
    }
    let now = context(&mesh, user).await?;
    let behaviours = now.behaviours.unwrap_or_default();
    ensure!(now.profile.is_none() && now.seen_item_ids.is_empty(), "{:?}", now.profile);
    ensure!(behaviours.item_ids.is_empty() && now.version == 0, "{behaviours:?}");
    ensure!(logged(&mesh, user).await?.is_empty(), "the log still names the user");
    let back = mesh.recommend(user, 10).await?;
    ensure!(back.items.iter().all(|item| item.channels == ["trending"]), "{back:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn impressions_keep_how_their_items_came_to_be_shown() -> Result<()> {
    let mesh = Mesh::start()?;
    let user = 196;
    let request = RecommendRequest { user_id: user, size: 5, ..<_>::default() };
    let first = mesh.gateway().await?.recommend(request.clone()).await?.into_inner();
    let token = first.page_token.clone();
    let second = RecommendRequest { page_token: token, ..request };
    let second = mesh.gateway().await?.recommend(second).await?.into_inner();
    let shown: Vec<_> = [&first, &second].into_iter().flat_map(rows).collect();
    let recorded = async || -> Result<Vec<_>> {
        let events = logged(&mesh, user).await?;
        Ok(events.into_iter().filter_map(row).collect())
    };
    soon("the impressions are recorded", async || Ok(recorded().await?.len() == 10)).await?;
    ensure!(recorded().await? == shown, "{:?}, not {shown:?}", recorded().await?);
    Ok(())
}

const FEMALE: i32 = Gender::Female as i32;

/// Item, request, place, score, ranking bundle, channels.
type Row = (u64, String, u32, f32, String, Vec<String>);

fn rows(list: &RecommendResponse) -> Vec<Row> {
    let bundle = list.bundle_ids.get("ranking").cloned().unwrap_or_default();
    let row = |item: &tributary_proto::gateway::v1::RecommendedItem| {
        let (id, bundle) = (list.request_id.clone(), bundle.clone());
        (item.item_id, id, item.position, item.score, bundle, item.channels.clone())
    };
    list.items.iter().map(row).collect()
}

fn row(logged: LoggedEvent) -> Option<Row> {
    let (event, served) = (logged.event?, logged.served?);
    let channels = served.channels.into_iter().map(|one| one.channel).collect();
    let (id, bundle) = (served.request_id, served.ranking_bundle_id);
    Some((event.item_id, id, served.position, served.score, bundle, channels))
}

fn ids(list: &RecommendResponse) -> Vec<u64> {
    list.items.iter().map(|item| item.item_id).collect()
}

async fn profile(mesh: &Mesh, profile: UserProfile) -> Result<()> {
    mesh.feature().await?.upsert_users(UpsertUsersRequest { users: vec![profile] }).await?;
    Ok(())
}

async fn bookmark(mesh: &Mesh, user_id: u64, item_id: u64) -> Result<()> {
    let (action, time_ms) = (Action::Bookmark.into(), Timestamp::now().0);
    let events = vec![Event { user_id, item_id, action, time_ms, dwell_ms: 0 }];
    mesh.gateway().await?.record_events(RecordEventsRequest { events }).await?;
    Ok(())
}

async fn context(mesh: &Mesh, user_id: u64) -> Result<UserContext> {
    let answer = mesh.feature().await?.get_user_context(GetUserContextRequest { user_id }).await?;
    answer.into_inner().context.context("a context")
}

/// Whether the channel has the user's list in its cache; it has, after this.
async fn cached(mesh: &Mesh, channel: &str, context: &UserContext) -> Result<bool> {
    let address = mesh.address(&format!("recall-{channel}"));
    let context = Some(context.clone());
    let request = RecallRequest { context, limit: 10, ..RecallRequest::default() };
    Ok(RecallServiceClient::connect(address).await?.recall(request).await?.into_inner().cached)
}

/// The user's events since the data set was loaded, as the log has them.
async fn logged(mesh: &Mesh, user: u64) -> Result<Vec<LoggedEvent>> {
    let request = WatchEventsRequest { after: LOADED };
    let mut stream = mesh.feature().await?.watch_events(request).await?.into_inner();
    let mut events: Vec<LoggedEvent> = Vec::new();
    loop {
        let message = stream.message().await?.context("the log goes on")?;
        let head = message.head;
        // The log's last numbers may be gone with a user: an empty message says that this is all.
        let is_end = message.events.last().is_none_or(|last| last.sequence == head);
        events.extend(message.events);
        if is_end {
            break;
        }
    }
    events.retain(|logged| logged.event.is_some_and(|event| event.user_id == user));
    Ok(events)
}
