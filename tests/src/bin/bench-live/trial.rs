use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mysql_async::{Conn, prelude::Queryable};
use tonic::transport::Channel;
use tributary_e2e::Mesh;
use tributary_proto::{
    gateway::v1::{
        Overrides, RecommendRequest, RecommendResponse,
        gateway_service_client::GatewayServiceClient,
    },
    recall::v1::{SearchRequest, search_service_client::SearchServiceClient},
};

use crate::spread::Spread;

const LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(3);
/// MovieLens 100K has users 1 to 943; new items lie beyond all others.
const USERS: u64 = 943;
const NEW: u64 = 50_000_000;

/// Where answers come from.
pub(crate) struct Clients {
    gateway: GatewayServiceClient<Channel>,
    search: SearchServiceClient<Channel>,
}

impl Clients {
    pub(crate) async fn connect(mesh: &Mesh) -> Result<Self> {
        Ok(Self { gateway: mesh.gateway().await?, search: mesh.search().await? })
    }

    /// The times of that many trials.
    pub(crate) async fn trials(&self, sql: &mut Conn, count: u64) -> Result<[Spread; 4]> {
        let mut spreads = [
            Spread::new("bookmark → the user's list is another one"),
            Spread::new("new item → found by search"),
            Spread::new("new item → in an exploration slot"),
            Spread::new("deletion → out of search and lists"),
        ];
        for number in 0..count {
            let times = self.trial(sql, number).await?;
            for (spread, time) in spreads.iter_mut().zip(times) {
                spread.add(time);
            }
        }
        Ok(spreads)
    }

    /// Times of a bookmark, of a new item in search and in a list, and of its deletion.
    async fn trial(&self, sql: &mut Conn, number: u64) -> Result<[Option<Duration>; 4]> {
        let user = 1 + number * 37 % USERS;
        let before = self.list(user).await?;
        let chosen = before.items.get(3).context("a list of at least four items")?.item_id;
        sql.query_drop(format!(
            "INSERT INTO interaction (user_id, illust_id, label) VALUES ({user}, {chosen}, 1) \
             ON DUPLICATE KEY UPDATE label = 1, create_time = CURRENT_TIMESTAMP(3)"
        ))
        .await?;
        let ids = |list: &RecommendResponse| -> Vec<u64> {
            list.items.iter().map(|item| item.item_id).collect()
        };
        let old = ids(&before);
        // A bookmarked item is in no list any more, and taste has moved.
        let bookmarked = until(async || {
            let now = ids(&self.list(user).await?);
            Ok(now != old && !now.contains(&chosen))
        });
        let bookmarked = bookmarked.await?;

        let (item, word) = (NEW + number, format!("quagga{number}x"));
        sql.query_drop(format!(
            "INSERT INTO illust (illust_id, artist_id, title) VALUES ({item}, 1, '{word}')"
        ))
        .await?;
        let (found, shown) = tokio::join!(
            until(async || Ok(self.found(&word).await?.contains(&item))),
            until(async || {
                let list = self.list(user).await?;
                let mut places = list.items.iter().filter(|place| place.item_id == item);
                Ok(places.any(|place| place.channels.iter().any(|name| name == "exploration")))
            }),
        );
        let (found, shown) = (found?, shown?);

        sql.query_drop(format!("DELETE FROM illust WHERE illust_id = {item}")).await?;
        let gone = until(async || {
            let listed = ids(&self.list(user).await?).contains(&item);
            Ok(!listed && !self.found(&word).await?.contains(&item))
        });
        Ok([bookmarked, found, shown, gone.await?])
    }

    async fn list(&self, user_id: u64) -> Result<RecommendResponse> {
        // The list must not change because it was looked at.
        let overrides = Overrides { skip_impressions: true, ..Overrides::default() };
        let request = RecommendRequest {
            user_id,
            size: 20,
            scene: "home".into(),
            overrides: Some(overrides),
            ..RecommendRequest::default()
        };
        let answer = self.gateway.clone().recommend(request).await?.into_inner();
        ensure!(!answer.items.is_empty(), "an empty list");
        Ok(answer)
    }

    async fn found(&self, query: &str) -> Result<Vec<u64>> {
        let request = SearchRequest { query: query.to_owned(), limit: 10 };
        let hits = self.search.clone().search(request).await?.into_inner().hits;
        Ok(hits.into_iter().map(|hit| hit.item_id).collect())
    }
}

/// How long it takes until `holds`; `None` where that is too long.
async fn until(holds: impl AsyncFn() -> Result<bool>) -> Result<Option<Duration>> {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        if holds().await? {
            return Ok(Some(began.elapsed()));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(None)
}
