//! What MySQL has and MariaDB has not.

use tributary_ingest::{DeadLetters, command};
use tributary_testkit::wait_until;

use crate::harness::{PATIENCE, Running, SCHEMA, World};

/// Rows of all tables, in transactions of several statements.
const CHANGES: [&str; 4] = [
    "BEGIN;
    INSERT INTO illust (illust_id, artist_id, title, tags) VALUES (11, 7, 'one', '[{\"name\": \"a\"}]'),
        (12, 7, 'two', NULL), (13, 7, 'three', '[]');
    INSERT INTO user VALUES (1, 'x'), (2, 'y');
    INSERT INTO interaction VALUES (1, 11, 1, '2024-01-01'), (2, 12, 0, '2024-01-02');
    COMMIT",
    "BEGIN;
    UPDATE illust SET title = CONCAT(title, REPEAT('!', 100)) WHERE artist_id = 7;
    UPDATE interaction SET label = 1 - label;
    COMMIT",
    "BEGIN;
    INSERT INTO illust (illust_id, artist_id) VALUES (14, 1);
    SAVEPOINT before_more;
    INSERT INTO illust (illust_id, artist_id) VALUES (15, 1);
    ROLLBACK TO before_more;
    DELETE FROM interaction WHERE user_id = 1;
    COMMIT",
    "DELETE FROM illust WHERE illust_id = 12",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs MySQL: make test-mysql"]
async fn compressed_transactions_are_followed() {
    let options = &["--binlog-transaction-compression=ON"];
    let mut world = World::with_options(SCHEMA, options).await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    for changes in CHANGES {
        world.run(changes).await;
        world.converged().await;
    }
    ingest.stop().await;
    // The position is one to go on from.
    world.run("INSERT INTO illust (illust_id, artist_id) VALUES (21, 1), (22, 1)").await;
    let ingest = Running::start(world.config()).await;
    world.converged().await;
    world.run("UPDATE illust SET title = 'after'").await;
    world.converged().await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs MySQL: make test-mysql"]
async fn binary_json_of_every_form_is_read() {
    let mut world = World::new(SCHEMA).await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    for tags in [
        "JSON_ARRAY()",
        "JSON_ARRAY(JSON_OBJECT('name', '猫', 'translatedName', 'cat', 'id', 1))",
        // Every kind of value beside the names.
        "JSON_ARRAY(JSON_OBJECT('name', 'a', 'n', NULL, 't', TRUE, 'f', FALSE, 'i', -1, 's', 40000,
            'm', 3000000000, 'l', 18446744073709551615, 'd', 1.5e300, 'x', 1.25,
            'day', CAST('2024-02-29' AS DATE), 'moment', CAST('2024-02-29 01:02:03.5' AS DATETIME(1)),
            'deep', JSON_ARRAY(JSON_ARRAY(), JSON_OBJECT('name', 'not this'))))",
        // A text whose length takes two bytes, and a document whose places take four.
        "JSON_ARRAY(JSON_OBJECT('name', REPEAT('ä', 100)), JSON_OBJECT('name', 'b'))",
        "JSON_ARRAY(JSON_OBJECT('pad', REPEAT('x', 70000), 'name', 'large'), JSON_OBJECT('name', 'b'))",
        "(SELECT JSON_ARRAYAGG(JSON_OBJECT('name', CONCAT('t', n), 'rest', REPEAT('y', 5000)))
            FROM (WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 50)
                SELECT n FROM s) numbers)",
    ] {
        world
            .run(&format!("REPLACE INTO illust (illust_id, artist_id, tags) VALUES (1, 1, {tags})"))
            .await;
        world.converged().await;
        world.run("UPDATE illust SET tags = JSON_ARRAY_APPEND(tags, '$', JSON_OBJECT('name', 'z'))").await;
        world.converged().await;
    }
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs MySQL: make test-mysql"]
async fn parts_of_json_that_a_session_logs_are_bad_rows_until_replayed() {
    let mut world = World::new(SCHEMA).await;
    world.run("INSERT INTO illust (illust_id, artist_id, tags) VALUES (1, 1, '[{\"name\": \"before\"}]')").await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    world.converged().await;
    world.run("SET SESSION binlog_row_value_options = 'PARTIAL_JSON'").await;
    world.run("UPDATE illust SET tags = JSON_SET(tags, '$[0].name', 'now')").await;
    let config = world.config();
    let letters = || DeadLetters::open(&config.data, 100).unwrap();
    wait_until(async || letters().list().unwrap().len() == 1, PATIENCE).await;
    let listed = letters().list().unwrap();
    assert!(listed[0].reason.contains("binlog_row_value_options"), "{listed:?}");
    assert_eq!(world.feature.items()[0].tags, ["before"]);
    let left = command::replay(&config, &letters(), listed).await.unwrap();
    assert_eq!(left, []);
    world.converged().await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs MySQL: make test-mysql"]
async fn transactions_with_tagged_identifiers_are_followed() {
    let mut world = World::new(SCHEMA).await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    world.run("SET SESSION gtid_next = 'AUTOMATIC:shop'").await;
    for changes in CHANGES {
        world.run(changes).await;
        world.converged().await;
    }
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs MySQL: make test-mysql"]
async fn columns_of_types_that_are_not_read_are_passed_over() {
    let schema = SCHEMA.replace(
        "artist_id",
        "looks VECTOR(3), place POINT, whole BIT(12), shut TIME(3), artist_id",
    );
    let mut world = World::new(&schema).await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    world
        .run(
            "INSERT INTO illust (illust_id, looks, place, whole, shut, artist_id, title) VALUES
                (1, STRING_TO_VECTOR('[1,2,3]'), POINT(1, 2), b'101', '01:02:03.5', 7, 'one'),
                (2, NULL, NULL, NULL, NULL, 7, 'two')",
        )
        .await;
    world.converged().await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs MySQL: make test-mysql"]
async fn what_foreign_keys_delete_is_followed() {
    let schema = SCHEMA.replace(
        "PRIMARY KEY (user_id, illust_id)",
        "PRIMARY KEY (user_id, illust_id),
            FOREIGN KEY (illust_id) REFERENCES illust (illust_id) ON DELETE CASCADE ON UPDATE CASCADE",
    );
    let mut world = World::new(&schema).await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    world.run("INSERT INTO illust (illust_id, artist_id) VALUES (1, 1), (2, 1)").await;
    world
        .run("INSERT INTO interaction VALUES (1, 1, 1, '2024-01-01'), (1, 2, 1, '2024-01-01')")
        .await;
    world.run("DELETE FROM illust WHERE illust_id = 1").await;
    world.run("UPDATE illust SET illust_id = 3 WHERE illust_id = 2").await;
    world.converged().await;
    ingest.stop().await;
}
