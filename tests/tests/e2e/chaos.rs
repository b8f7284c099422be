//! Rows change while what follows them is killed.

use std::{env, time::Duration};

use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tributary_e2e::{Following, Rows, connect};
use tributary_testkit::{RedisServer, insert_statement};

/// Items from here on are never deleted, so that their counters can be compared.
const KEPT: u64 = 1_000;

/// Row changes; `make chaos` asks for more.
fn changes() -> u64 {
    let asked = env::var("TRIBUTARY_CHAOS_CHANGES").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(2_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_is_lost_nor_counted_twice_while_processes_are_killed() -> Result<()> {
    let mut redis = RedisServer::durable().await;
    let store = vec![
        ("TRIBUTARY__STORE__KIND", "redis".to_owned()),
        ("TRIBUTARY__REDIS__URLS", format!("[{:?}]", redis.url())),
    ];
    let mut following = Following::new(store).await?;
    let mut sql = connect(&following.db.url("illustrations")).await?;
    let item = |id| format!("{id}, 1");
    sql.query_drop(insert_statement("illust (illust_id, artist_id)", 1..=1_300, item)).await?;
    sql.query_drop(insert_statement("user", 1..=400, |id| format!("{id}, 'x'"))).await?;
    following.start_feature()?;
    following.start_ingest()?;

    let url = following.db.url("illustrations");
    let writing = tokio::spawn(async move { write(&url, changes()).await });
    let mut random = StdRng::seed_from_u64(3);
    let mut kills = [0, 0, 0];
    while !writing.is_finished() {
        let life = Duration::from_millis(random.random_range(200..1_500));
        tokio::time::sleep(life).await;
        let pause = Duration::from_millis(random.random_range(0..300));
        // Each in turn, at moments that are at random.
        let which = kills.iter().sum::<usize>() % kills.len();
        kills[which] += 1;
        match which {
            0 => {
                following.kill_ingest().await?;
                tokio::time::sleep(pause).await;
                following.start_ingest()?;
            }
            1 => {
                following.kill_feature().await?;
                tokio::time::sleep(pause).await;
                following.start_feature()?;
            }
            _ => {
                redis.kill_9().await;
                tokio::time::sleep(pause).await;
                redis.restart().await;
            }
        }
    }
    let written = writing.await??;
    // Ready means: all that was in the binlog at its start is written.
    following.kill_ingest().await?;
    following.start_ingest()?;
    following.ready().await;

    let mut client = following.client();
    let wanted = Rows::of_database(&mut sql).await?;
    let held = Rows::of_feature(&mut client).await?;
    let lost: Vec<_> = wanted.events.difference(&held.events).take(5).collect();
    let left: Vec<_> = held.events.difference(&wanted.events).take(5).collect();
    ensure!(lost.is_empty() && left.is_empty(), "events lost: {lost:?}, left over: {left:?}");
    ensure!(wanted.items == held.items, "items differ: {wanted:#?} {held:#?}");
    let miscounted = wanted.miscounted(&mut client, KEPT).await?;
    ensure!(miscounted.is_empty(), "{miscounted:?}");
    let [of_ingest, of_feature, of_redis] = kills;
    println!(
        "{written} row changes; {of_ingest} kills of ingest, {of_feature} of feature, {of_redis} of \
         Redis: {} items and {} events equal",
        wanted.items.len(),
        wanted.events.len(),
    );
    Ok(())
}

/// Changes rows at random, in transactions of one or a few statements.
async fn write(url: &str, changes: u64) -> Result<u64> {
    let mut sql = connect(url).await?;
    let mut random = StdRng::seed_from_u64(4);
    let mut written = 0;
    while written < changes {
        let together = random.random_bool(0.3);
        if together {
            sql.query_drop("BEGIN").await?;
        }
        for _ in 0..if together { 5 } else { 1 } {
            sql.query_drop(statement(&mut random)).await?;
            written += sql.affected_rows();
        }
        if together {
            sql.query_drop("COMMIT").await?;
        }
        // Slow enough for the kills to fall between changes of every kind.
        tokio::time::sleep(Duration::from_millis(if changes > 10_000 { 1 } else { 5 })).await;
    }
    Ok(written)
}

fn statement(random: &mut StdRng) -> String {
    let (item, kept) = (random.random_range(1..KEPT), random.random_range(KEPT..KEPT + 300));
    let (user, time) = (random.random_range(1..400), random.random_range(0..9_000_000));
    let stamp = format!("FROM_UNIXTIME(1700000000 + {time} / 1000)");
    match random.random_range(0..9) {
        0 => format!("DELETE FROM illust WHERE illust_id = {item}"),
        1 => format!(
            "REPLACE INTO illust (illust_id, artist_id, title) VALUES ({item}, {user}, 'é{time}')"
        ),
        2 => format!(
            "UPDATE illust SET total_view = total_view + 1, title = '{time}' \
             WHERE illust_id BETWEEN {kept} AND {kept} + 5"
        ),
        3 => format!("UPDATE interaction SET label = 1 - label WHERE user_id = {user}"),
        4 => format!("DELETE FROM interaction WHERE user_id = {user} LIMIT 2"),
        5 => format!(
            "UPDATE IGNORE interaction SET illust_id = {kept} WHERE user_id = {user} LIMIT 1"
        ),
        _ => format!(
            "INSERT INTO interaction VALUES ({user}, {kept}, {0}, {stamp}), ({user} + 400, {item}, {0}, {stamp}) \
             ON DUPLICATE KEY UPDATE label = {0}, create_time = {stamp}",
            time % 2,
        ),
    }
}
