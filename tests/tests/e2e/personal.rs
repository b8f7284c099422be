//! New behaviour counts at once.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tributary_e2e::Mesh;
use tributary_proto::{feature::v1::GetItemsRequest, gateway::v1::RecommendResponse};

const GENRE: &str = "Animation";

#[tokio::test(flavor = "multi_thread")]
async fn a_few_bookmarks_of_one_genre_change_the_users_next_list() -> Result<()> {
    let mesh = Mesh::start()?;
    let user = 196;
    let before = mesh.recommend(user, 20).await?;
    let bookmarks = unseen_of_genre(&mesh, &before).await?;
    record(&mesh, user, &bookmarks)?;
    let after = mesh.recommend(user, 20).await?;
    let (had, has) = (share(&mesh, &before).await?, share(&mesh, &after).await?);
    ensure!(has > had, "{GENRE}: {had} of 20 before, {has} after {bookmarks:?}");
    let listed: HashSet<u64> = after.items.iter().map(|item| item.item_id).collect();
    ensure!(bookmarks.iter().all(|item| !listed.contains(item)), "a bookmarked item came back");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_user_gets_trending_and_after_five_events_a_personal_list() -> Result<()> {
    let mesh = Mesh::start()?;
    let user = 9_000_001;
    let cold = mesh.recommend(user, 10).await?;
    ensure!(cold.items.len() == 10, "a cold user got {} items", cold.items.len());
    for item in &cold.items {
        ensure!(item.channels == ["trending"], "{item:?}");
    }
    let bookmarks: Vec<u64> = unseen_of_genre(&mesh, &cold).await?;
    record(&mesh, user, &bookmarks[..5])?;
    let warm = mesh.recommend(user, 10).await?;
    ensure!(warm.degraded.is_empty(), "{:?}", warm.degraded);
    let personal = ["two-tower", "multi-interest", "graph", "collaborative"];
    let channels: HashSet<&str> =
        warm.items.iter().flat_map(|item| &item.channels).map(String::as_str).collect();
    let found = personal.iter().filter(|channel| channels.contains(*channel)).count();
    ensure!(found >= 2, "hardly a personal channel in {channels:?}");
    ensure!(ids(&warm) != ids(&cold), "five events changed nothing");
    Ok(())
}

fn ids(list: &RecommendResponse) -> Vec<u64> {
    list.items.iter().map(|item| item.item_id).collect()
}

/// Well-known items of the genre that are not in the list.
async fn unseen_of_genre(mesh: &Mesh, list: &RecommendResponse) -> Result<Vec<u64>> {
    let hits = mesh.tributary(&["items", "search", GENRE, "-n", "200"])?;
    let hits: Vec<u64> = hits.as_array().context("hits")?.iter().filter_map(id).collect();
    let listed: HashSet<u64> = list.items.iter().map(|item| item.item_id).collect();
    let request = GetItemsRequest { item_ids: hits };
    let mut items = mesh.feature().await?.get_items(request).await?.into_inner().items;
    items.sort_by_key(|item| std::cmp::Reverse(item.counters.map_or(0, |of| of.bookmarks)));
    let known = items.into_iter().filter_map(|item| item.item);
    let known: Vec<u64> = known
        .filter(|item| item.genres.iter().any(|genre| genre == GENRE))
        .map(|item| item.item_id)
        .filter(|item| !listed.contains(item))
        .take(8)
        .collect();
    ensure!(known.len() == 8, "too few {GENRE} items");
    Ok(known)
}

fn id(hit: &Value) -> Option<u64> {
    hit["item"].as_u64()
}

fn record(mesh: &Mesh, user: u64, items: &[u64]) -> Result<()> {
    let user = user.to_string();
    let items: Vec<String> = items.iter().map(u64::to_string).collect();
    let mut arguments = vec!["event", "--user", &user, "--action", "bookmark"];
    arguments.extend(items.iter().map(String::as_str));
    let answer = mesh.tributary(&arguments)?;
    ensure!(answer["recorded"] == items.len(), "{answer}");
    Ok(())
}

/// How many items of a list are of the genre.
async fn share(mesh: &Mesh, list: &RecommendResponse) -> Result<usize> {
    let request = GetItemsRequest { item_ids: ids(list) };
    let items = mesh.feature().await?.get_items(request).await?.into_inner().items;
    let genres = items.into_iter().filter_map(|item| item.item).map(|item| item.genres);
    Ok(genres.filter(|genres| genres.iter().any(|genre| genre == GENRE)).count())
}
