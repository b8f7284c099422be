//! Changes of items count everywhere at once: in search, in the places for new items, in the
//! vector channels, in lists, in pages of a token that was issued before, and in the fallback list.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use tributary_domain::Timestamp;
use tributary_e2e::{Mesh, soon};
use tributary_proto::{
    entity::v1::{Action, Behaviours, Item, UserContext},
    feature::v1::{DeleteItemsRequest, GetItemsRequest, UpsertItemsRequest},
    gateway::v1::{Overrides, RecommendRequest, RecommendResponse, RecommendedItem},
    recall::v1::{
        RecallRequest, RecallResponse, SearchRequest, recall_service_client::RecallServiceClient,
    },
};

const CHANNELS: [&str; 6] =
    ["two-tower", "multi-interest", "graph", "collaborative", "search", "trending"];
const VECTORS: [&str; 3] = ["two-tower", "multi-interest", "graph"];
/// More than MovieLens 100K has.
const ALL: u32 = 2_000;
const NEW: u64 = 9_000_001;
const USER: u64 = 196;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_item_is_searchable_placed_and_shown_and_moves_when_it_changes() -> Result<()> {
    let mesh = Mesh::start()?;
    let stranger = 9_100_001;
    ensure!(explored(&mesh.recommend(stranger, 20).await?).is_empty(), "old items count as new");

    upsert(&mesh, new_item("Zyxomma rising", "Animation")).await?;
    soon("search finds it", async || Ok(search(&mesh, "zyxomma").await? == [NEW])).await?;
    soon("it stands in a reserved place", async || {
        let list = mesh.recommend(stranger, 20).await?;
        let places: Vec<_> =
            explored(&list).iter().map(|item| (item.item_id, item.position)).collect();
        Ok(places == [(NEW, 6)])
    })
    .await?;
    let before = scores(&mesh).await?;

    upsert(&mesh, new_item("Quokkamoor setting", "Western")).await?;
    soon("search knows its new title", async || {
        let (old, new) = (search(&mesh, "zyxomma").await?, search(&mesh, "quokkamoor").await?);
        Ok(old.is_empty() && new == [NEW])
    })
    .await?;
    soon("it moved in every vector channel", async || {
        let now = scores(&mesh).await?;
        Ok(now.iter().zip(&before).all(|(now, before)| now != before))
    })
    .await?;

    // It is on no later page of a token, and no page has it twice.
    let pages = turn_pages(&mesh, stranger, 3).await?;
    let times = pages.iter().flatten().filter(|item| **item == NEW).count();
    ensure!(times == 1, "{times} times in three pages");

    delete(&mesh, NEW).await?;
    soon("it is found no more", async || Ok(search(&mesh, "quokkamoor").await?.is_empty())).await?;
    gone_from_everything(&mesh, &[NEW]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_and_hidden_items_are_gone_from_everything_that_had_them() -> Result<()> {
    let mesh = Mesh::start()?;
    // Nobody asks this channel for a user without behaviour: the fallback list answers.
    let fallback = async || listed(&mesh, request(9_100_002, &["two-tower"], "")).await;
    // The gateway asks for it every ten seconds, the first time perhaps before the data was there.
    soon("the fallback list is whole", async || Ok(fallback().await?.items.len() == 10)).await?;
    let remembered = fallback().await?;
    let first = listed(&mesh, request(USER, &[], "")).await?;
    let second = listed(&mesh, request(USER, &[], &first.page_token)).await?;
    ensure!(second.items.len() == 10, "the second page has {} items", second.items.len());
    let popular = remembered.items[0].item_id;
    let others: Vec<u64> = ids(&second).into_iter().filter(|item| *item != popular).collect();
    let (later, hidden) = (others[0], others[1]);
    // Every channel has lists in its cache that hold them.
    for channel in CHANNELS {
        recall(&mesh, channel, fan(7)).await?;
    }

    delete(&mesh, popular).await?;
    delete(&mesh, later).await?;
    hide(&mesh, hidden).await?;
    let gone = [popular, later, hidden];
    gone_from_everything(&mesh, &gone).await?;
    for (what, page) in [
        ("the first page", request(USER, &[], "")),
        ("a page of an older token", request(USER, &[], &first.page_token)),
        ("the fallback list", request(9_100_002, &["two-tower"], "")),
    ] {
        let page = listed(&mesh, page).await?;
        ensure!(page.items.len() == 10, "{what} has {} items", page.items.len());
        ensure!(!holds_any(&ids(&page), &gone), "{what} holds one of {gone:?}");
    }

    // And one that comes back is back.
    let shown = Item { hidden: false, ..stored(&mesh, hidden).await? };
    upsert(&mesh, shown).await?;
    soon("it is back in trending", async || {
        Ok(recall(&mesh, "trending", fan(Timestamp::now().0)).await?.item_ids.contains(&hidden))
    })
    .await
}

/// Waits until no channel has any of the items in a list that it had in its cache, or makes anew.
async fn gone_from_everything(mesh: &Mesh, gone: &[u64]) -> Result<()> {
    for channel in CHANNELS {
        soon(channel, async || {
            let cached = recall(mesh, channel, fan(7)).await?.item_ids;
            let fresh = recall(mesh, channel, fan(Timestamp::now().0)).await?.item_ids;
            Ok(!holds_any(&cached, gone) && !holds_any(&fresh, gone))
        })
        .await?;
    }
    soon("the gateway's lists", async || {
        Ok(!holds_any(&ids(&mesh.recommend(USER, 100).await?), gone))
    })
    .await
}

fn holds_any(items: &[u64], gone: &[u64]) -> bool {
    items.iter().any(|item| gone.contains(item))
}

fn new_item(title: &str, genre: &str) -> Item {
    Item {
        item_id: NEW,
        title: title.to_owned(),
        genres: vec![genre.to_owned()],
        year: 1995,
        created_ms: Timestamp::now().0,
        ..Item::default()
    }
}

/// Somebody who bookmarked animated films; another version is another user to the caches.
fn fan(version: i64) -> UserContext {
    let items = vec![71, 95, 99, 418, 432, 588];
    let count = items.len();
    UserContext {
        user_id: 9_100_003,
        seen_item_ids: items.clone(),
        version: version.unsigned_abs(),
        behaviours: Some(Behaviours {
            item_ids: items,
            actions: vec![Action::Bookmark.into(); count],
            times_ms: (1_i64..).take(count).collect(),
            dwells_ms: vec![0; count],
        }),
        ..UserContext::default()
    }
}

async fn recall(mesh: &Mesh, channel: &str, context: UserContext) -> Result<RecallResponse> {
    let address = mesh.address(&format!("recall-{channel}"));
    let request = RecallRequest { context: Some(context), limit: ALL, ..RecallRequest::default() };
    Ok(RecallServiceClient::connect(address).await?.recall(request).await?.into_inner())
}

/// The new item's score in each vector channel, for a list that is computed now.
async fn scores(mesh: &Mesh) -> Result<Vec<f32>> {
    let mut scores = Vec::new();
    for channel in VECTORS {
        let answer = recall(mesh, channel, fan(Timestamp::now().0)).await?;
        let place = answer.item_ids.iter().position(|item| *item == NEW);
        let place = place.with_context(|| format!("{channel} does not have the new item"))?;
        scores.push(answer.scores[place]);
    }
    Ok(scores)
}

async fn search(mesh: &Mesh, words: &str) -> Result<Vec<u64>> {
    let request = SearchRequest { query: words.to_owned(), limit: 10 };
    let answer = mesh.search().await?.search(request).await?.into_inner();
    Ok(answer.hits.iter().map(|hit| hit.item_id).collect())
}

async fn upsert(mesh: &Mesh, item: Item) -> Result<()> {
    mesh.feature().await?.upsert_items(UpsertItemsRequest { items: vec![item] }).await?;
    Ok(())
}

async fn delete(mesh: &Mesh, item: u64) -> Result<()> {
    let request = DeleteItemsRequest { item_ids: vec![item] };
    let answer = mesh.feature().await?.delete_items(request).await?.into_inner();
    ensure!(answer.deleted == 1, "{item} was not there");
    Ok(())
}

async fn hide(mesh: &Mesh, item: u64) -> Result<()> {
    let stored = stored(mesh, item).await?;
    upsert(mesh, Item { hidden: true, ..stored }).await
}

async fn stored(mesh: &Mesh, item: u64) -> Result<Item> {
    let request = GetItemsRequest { item_ids: vec![item] };
    let answer = mesh.feature().await?.get_items(request).await?.into_inner();
    answer.items.into_iter().next().and_then(|stored| stored.item).context("the item is stored")
}

fn request(user_id: u64, channels: &[&str], page_token: &str) -> RecommendRequest {
    let overrides = Overrides {
        channels: channels.iter().map(|channel| (*channel).to_owned()).collect(),
        skip_impressions: true,
        ..Overrides::default()
    };
    RecommendRequest {
        user_id,
        size: 10,
        page_token: page_token.to_owned(),
        overrides: Some(overrides),
        ..RecommendRequest::default()
    }
}

async fn listed(mesh: &Mesh, request: RecommendRequest) -> Result<RecommendResponse> {
    Ok(mesh.gateway().await?.recommend(request).await?.into_inner())
}

async fn turn_pages(mesh: &Mesh, user: u64, pages: usize) -> Result<Vec<Vec<u64>>> {
    let (mut token, mut turned) = (String::new(), Vec::new());
    for _ in 0..pages {
        let page = listed(mesh, request(user, &[], &token)).await?;
        turned.push(ids(&page));
        token = page.page_token;
    }
    let all: Vec<u64> = turned.concat();
    let distinct: HashSet<u64> = all.iter().copied().collect();
    ensure!(distinct.len() == all.len(), "an item twice in {turned:?}");
    Ok(turned)
}

fn ids(list: &RecommendResponse) -> Vec<u64> {
    list.items.iter().map(|item| item.item_id).collect()
}

/// The items in places that are reserved for new ones.
fn explored(list: &RecommendResponse) -> Vec<&RecommendedItem> {
    let of = |item: &&RecommendedItem| item.channels.iter().any(|channel| channel == "exploration");
    list.items.iter().filter(of).collect()
}
