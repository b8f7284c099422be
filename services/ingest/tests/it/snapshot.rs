//! The snapshot: whole while others write, gone on with after an end, taken again where asked for.

use mysql_async::prelude::Queryable;
use tributary_ingest::OnPurged;
use tributary_testkit::{insert_statement, is_serving, wait_until};

use crate::harness::{PATIENCE, Running, SCHEMA, World, connect};

/// 600 items, 200 users, 600 interactions.
fn rows() -> String {
    let item = |id| format!("{}, 1, 'old'", 2 * id);
    let interaction = |id| format!("{}, {}, {}, '2024-01-01'", 1 + id % 200, 2 * id, id % 2);
    [
        insert_statement("illust (illust_id, artist_id, title)", 1..=600, item),
        insert_statement("user", 1..=200, |id| format!("{id}, 'x'")),
        insert_statement("interaction", 1..=600, interaction),
    ]
    .join(";\n")
}

/// Changes rows before, at and behind the place that a snapshot may have reached.
async fn write(url: String, rounds: u64) {
    let mut sql = connect(&url).await;
    for round in 0..rounds {
        let (low, high) = (2 + 2 * (round * 7 % 600), 2 + 2 * (599 - round * 11 % 600));
        for statement in [
            format!("UPDATE illust SET title = 'round {round}' WHERE illust_id IN ({low}, {high})"),
            format!("UPDATE IGNORE illust SET illust_id = {} WHERE illust_id = {high}", high + 1),
            format!("DELETE FROM illust WHERE illust_id = {}", low + 20),
            format!("INSERT IGNORE INTO illust (illust_id, artist_id) VALUES ({}, 9)", low + 5),
            format!("UPDATE interaction SET label = 1 - label WHERE illust_id IN ({low}, {high})"),
            format!("DELETE FROM interaction WHERE illust_id = {}", high - 8),
            format!(
                "UPDATE IGNORE interaction SET user_id = 1 + {round} MOD 200 WHERE illust_id = {low}"
            ),
        ] {
            sql.query_drop(statement).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_during_the_snapshot_end_in_the_right_state() {
    let mut world = World::new(SCHEMA).await;
    world.run(&rows()).await;
    let mut config = world.config();
    config.snapshot.chunk = 7;
    let writer = tokio::spawn(write(world.db.url("shop"), 60));
    let ingest = Running::start(config).await;
    writer.await.unwrap();
    ingest.ready().await;
    world.converged().await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_goes_on_where_it_was_stopped() {
    let mut world = World::new(SCHEMA).await;
    world.run(&rows()).await;
    let mut config = world.config();
    config.snapshot.chunk = 5;
    let mut places = std::collections::BTreeSet::new();
    for round in 1..=6 {
        let before = world.feature.position("mysql");
        let ingest = Running::start(config.clone()).await;
        wait_until(async || world.feature.position("mysql") != before, PATIENCE).await;
        assert!(!is_serving(ingest.address, "").await, "not ready before it is done");
        ingest.stop().await;
        world.run(&format!("DELETE FROM illust WHERE illust_id = {}", round * 4)).await;
        places.insert(world.feature.position("mysql"));
    }
    assert_eq!(places.len(), 6, "each start went further");
    let ingest = Running::start(config).await;
    ingest.ready().await;
    world.converged().await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_binlog_is_an_error_or_a_new_snapshot() {
    let mut world = World::new(SCHEMA).await;
    world.run(&rows()).await;
    let config = world.config();
    let ingest = Running::start(config.clone()).await;
    ingest.ready().await;
    ingest.stop().await;
    world.run("INSERT INTO illust (illust_id, artist_id) VALUES (5001, 1)").await;
    world.run("FLUSH BINARY LOGS").await;
    world.run("FLUSH BINARY LOGS").await;
    // The server keeps a file for as long as it takes the stopped reader for alive.
    loop {
        // MySQL adds whether it is encrypted.
        let logs: Vec<mysql_async::Row> = world.sql.query("SHOW BINARY LOGS").await.unwrap();
        if logs.len() == 1 {
            break;
        }
        let last: String = logs.last().unwrap().get(0).unwrap();
        world.run(&format!("PURGE BINARY LOGS TO '{last}'")).await;
    }

    let failure = Running::start(config.clone()).await.failure().await;
    assert!(failure.contains("the server no longer has the binlog at bin.000001:"), "{failure}");
    assert!(failure.contains("source.on_purged"), "{failure}");

    let mut again = config;
    again.source.on_purged = OnPurged::Snapshot;
    let ingest = Running::start(again).await;
    world.converged().await;
    ingest.ready().await;
    world.run("INSERT INTO illust (illust_id, artist_id) VALUES (5003, 1)").await;
    world.converged().await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_and_feature_may_be_away() {
    let mut world = World::new(SCHEMA).await;
    world.run(&rows()).await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;

    world.feature.fail(Some(tonic::Code::Unavailable));
    world.run("UPDATE illust SET title = 'while feature was away'").await;
    world.run("UPDATE illust SET title = CONCAT(title, '?') WHERE illust_id < 100").await;
    world.feature.fail(None);
    world.converged().await;

    for _ in 0..2 {
        world.db.kill_9().await.unwrap();
        world.db.restart().await.unwrap();
        world.sql = connect(&world.db.url("shop")).await;
        world.run("UPDATE illust SET title = CONCAT(title, '!')").await;
        world.converged().await;
    }
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_is_passed_over_whatever_the_key_is() {
    for (key, values) in [
        // Closer to each other than floating point numbers of that size.
        ("DECIMAL(20, 0)", ["1000000000000000001", "1000000000000000002", "1000000000000000003"]),
        ("DECIMAL(12, 3)", ["1.001", "1.002", "-7.5"]),
        ("BINARY(4)", ["x'00ff0001'", "x'00ff0002'", "x'ff000000'"]),
        (
            "DATETIME(6)",
            [
                "'2024-01-01 00:00:00.000001'",
                "'2024-01-01 00:00:00.000002'",
                "'2024-01-01 00:00:01'",
            ],
        ),
        ("VARCHAR(20)", ["'a'", "'Ö'", "'ß''x'"]),
    ] {
        let mut world = World::new(&format!(
            "CREATE TABLE work (pk {key} PRIMARY KEY, id INT NOT NULL UNIQUE)"
        ))
        .await;
        for (id, value) in (1..).zip(values) {
            world.run(&format!("INSERT INTO work VALUES ({value}, {id})")).await;
        }
        let mut config = world.config();
        let text = "[mapping.items]\ntable = \"work\"\nid = \"id\"";
        config.mapping =
            tributary_runtime::parse::<tributary_ingest::Config>(text).unwrap().mapping;
        config.snapshot.chunk = 1;
        let ingest = Running::start(config).await;
        ingest.ready().await;
        assert_eq!(world.feature.items().len(), 3, "{key}");
        ingest.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_with_a_new_file_is_caught_up_with() {
    let mut world = World::new(SCHEMA).await;
    world.run(&rows()).await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    world.run("FLUSH BINARY LOGS").await;
    world.run("INSERT INTO user VALUES (900, 'x')").await;
    world.converged().await;
    world.run("FLUSH BINARY LOGS").await;
    let moved = async || {
        let position = world.feature.position("mysql");
        String::from_utf8_lossy(&position).contains("000003")
    };
    wait_until(moved, PATIENCE).await;
    ingest.stop().await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    ingest.stop().await;
}
