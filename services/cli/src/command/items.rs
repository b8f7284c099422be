use std::{
    io::{self, BufRead},
    path::Path,
};

use indicatif::ProgressBar;
use serde::Serialize;
use tributary_domain::{Item, ItemCounters, ItemId};
use tributary_proto::{
    feature::v1::{
        DeleteItemsRequest, GetItemsRequest, StoredItem, UpsertItemsRequest,
        feature_service_client::FeatureServiceClient,
    },
    recall::v1::{SearchRequest, search_service_client::SearchServiceClient},
};

use crate::{
    CliError,
    arguments::{ItemsCommand, ItemsOptions, MeshAddresses},
    connection::Connection,
    output::{Output, table},
};

/// The most items that one call may carry.
const CALL: usize = 1_000;

/// Looks up, searches, writes or deletes items.
pub(crate) async fn items(
    mesh: &MeshAddresses,
    options: ItemsOptions,
    output: &Output,
) -> Result<(), CliError> {
    let feature = || Connection::new("feature", &mesh.feature, mesh.timeout);
    match options.command {
        ItemsCommand::Get { items } => get(&feature()?, items, output).await,
        ItemsCommand::Search { query, size } => {
            let search = Connection::new("recall-search", &mesh.search, mesh.timeout)?;
            find(&search, SearchRequest { query, limit: size }, output).await
        }
        ItemsCommand::Upsert { file } => {
            let count = upsert(&feature()?, read(&file)?).await?;
            output.show(&count, |count| format!("{count} items changed"));
            Ok(())
        }
        ItemsCommand::Delete { items } => delete(&feature()?, items, output).await,
    }
}

#[derive(Debug, Serialize)]
struct ItemsView {
    items: Vec<ItemView>,
    unknown: Vec<u64>,
}

#[derive(Debug, Serialize)]
struct ItemView {
    #[serde(flatten)]
    item: Item,
    counters: ItemCounters,
}

async fn get(feature: &Connection, item_ids: Vec<u64>, output: &Output) -> Result<(), CliError> {
    let mut client = FeatureServiceClient::new(feature.client());
    let request = feature.request(GetItemsRequest { item_ids });
    let response = feature.answer(client.get_items(request).await)?;
    let items = response.items.into_iter().map(view).collect::<Result<_, _>>()?;
    output.show(&ItemsView { items, unknown: response.unknown_item_ids }, ItemsView::text);
    Ok(())
}

fn view(stored: StoredItem) -> Result<ItemView, CliError> {
    let absent = || CliError::Data("feature sent an item without its attributes".into());
    let item = Item::try_from(stored.item.ok_or_else(absent)?);
    Ok(ItemView {
        item: item.map_err(|error| CliError::Data(error.to_string()))?,
        counters: stored.counters.map_or_else(ItemCounters::default, Into::into),
    })
}

impl ItemsView {
    fn text(&self) -> String {
        let mut rows =
            table(["item", "title", "year", "genres", "tags", "bookmarks", "views", "shown"]);
        for ItemView { item, counters } in &self.items {
            rows.add_row([
                item.id.to_string(),
                item.title.clone(),
                item.year.map_or_else(String::new, |year| year.to_string()),
                item.genres.join(", "),
                item.tags.join(", "),
                counters.bookmarks.to_string(),
                counters.views.to_string(),
                counters.impressions.to_string(),
            ]);
        }
        let mut text = rows.to_string();
        if !self.unknown.is_empty() {
            text += &format!("\nunknown: {:?}", self.unknown);
        }
        text
    }
}

#[derive(Debug, Serialize)]
struct HitView {
    item: u64,
    score: f32,
    title: String,
}

async fn find(search: &Connection, query: SearchRequest, output: &Output) -> Result<(), CliError> {
    let mut client = SearchServiceClient::new(search.client());
    let response = search.answer(client.search(search.request(query)).await)?;
    let hits = response.hits.into_iter();
    let hits: Vec<HitView> =
        hits.map(|hit| HitView { item: hit.item_id, score: hit.score, title: hit.title }).collect();
    output.show(&hits, |hits| {
        let mut rows = table(["item", "title", "score"]);
        for hit in hits {
            rows.add_row([hit.item.to_string(), hit.title.clone(), format!("{:.2}", hit.score)]);
        }
        rows.to_string()
    });
    Ok(())
}

/// Reads one JSON item a line; "-" is standard input.
pub(crate) fn read(file: &Path) -> Result<Vec<Item>, CliError> {
    let source: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let opened = std::fs::File::open(file).map_err(CliError::file(file))?;
        Box::new(io::BufReader::new(opened))
    };
    let mut items = Vec::new();
    for (index, line) in source.lines().enumerate() {
        let line = line.map_err(CliError::file(file))?;
        if !line.trim().is_empty() {
            items.push(serde_json::from_str(&line).map_err(|source| CliError::ItemLine {
                path: file.to_owned(),
                line: index + 1,
                source,
            })?);
        }
    }
    Ok(items)
}

/// Writes items in calls of the allowed size; returns how many differed from what was stored.
pub(crate) async fn upsert(feature: &Connection, items: Vec<Item>) -> Result<u32, CliError> {
    let progress = ProgressBar::new(items.len() as u64).with_message("items");
    let mut client = FeatureServiceClient::new(feature.client());
    let mut changed = 0;
    for call in items.chunks(CALL) {
        let items = call.iter().cloned().map(Into::into).collect();
        let request = feature.request(UpsertItemsRequest { items });
        changed += feature.answer(client.upsert_items(request).await)?.changed;
        progress.inc(call.len() as u64);
    }
    progress.finish_and_clear();
    Ok(changed)
}

async fn delete(feature: &Connection, items: Vec<u64>, output: &Output) -> Result<(), CliError> {
    let mut client = FeatureServiceClient::new(feature.client());
    let mut deleted = 0;
    for call in items.chunks(CALL) {
        let item_ids = call.iter().map(|item| ItemId(*item).0).collect();
        let request = feature.request(DeleteItemsRequest { item_ids });
        deleted += feature.answer(client.delete_items(request).await)?.deleted;
    }
    output.show(&deleted, |deleted| format!("{deleted} of {} items deleted", items.len()));
    Ok(())
}
