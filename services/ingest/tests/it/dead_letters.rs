//! Rows that cannot be used: kept, told, replayed, and in nobody's way.

use std::process::Command;

use tributary_ingest::{Config, DeadLetter, DeadLetters, command};

use crate::harness::{PATIENCE, Running, SCHEMA, World};

const LOOSE: &str =
    "CREATE TABLE illust (pk INT PRIMARY KEY, illust_id BIGINT UNIQUE, artist_id BIGINT,
        tags TEXT, width BIGINT, height INT, sanity_level INT DEFAULT 2, `restrict` INT DEFAULT 0,
        x_restrict INT DEFAULT 0, total_bookmarks INT, total_view INT);
    CREATE TABLE interaction (id INT PRIMARY KEY, user_id BIGINT, illust_id BIGINT, label INT,
        create_time DATETIME);
    CREATE TABLE user (user_id INT PRIMARY KEY)";

/// Every kind of bad row, one a primary key, with the column that is in the way.
const BAD: [(&str, &str); 8] = [
    ("INSERT INTO illust (pk, illust_id) VALUES (1, NULL)", "illust_id"),
    ("INSERT INTO illust (pk, illust_id) VALUES (2, -5)", "illust_id"),
    ("INSERT INTO illust (pk, illust_id, tags) VALUES (3, 3, '[{\"name\": ')", "tags"),
    ("INSERT INTO illust (pk, illust_id, width) VALUES (4, 4, 4294967296)", "width"),
    ("INSERT INTO illust (pk, illust_id, sanity_level) VALUES (5, 5, 99)", "sanity_level"),
    ("INSERT INTO interaction VALUES (6, 1, 1, 7, '2024-01-01')", "label"),
    ("INSERT INTO interaction VALUES (7, 1, NULL, 1, '2024-01-01')", "illust_id"),
    ("INSERT INTO interaction VALUES (8, 1, 1, 1, NULL)", "create_time"),
];

fn list(config: &Config) -> Vec<DeadLetter> {
    DeadLetters::open(&config.data, 100).unwrap().list().unwrap()
}

fn columns(letters: &[DeadLetter]) -> Vec<&str> {
    letters.iter().map(|letter| letter.column.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_are_kept_and_stop_nothing() {
    for by_snapshot in [true, false] {
        let mut world = World::new(LOOSE).await;
        let config = world.config();
        let good = "INSERT INTO illust (pk, illust_id) VALUES (20, 20);
            INSERT INTO interaction VALUES (20, 1, 20, 1, '2024-01-01')";
        if by_snapshot {
            for (statement, _) in BAD {
                world.run(statement).await;
            }
            world.run(good).await;
        }
        let ingest = Running::start(config.clone()).await;
        ingest.ready().await;
        if !by_snapshot {
            for (statement, _) in BAD {
                world.run(statement).await;
            }
            world.run(good).await;
        }
        let done = async || world.feature.items().len() == 1 && world.feature.events().len() == 1;
        tributary_testkit::wait_until(done, PATIENCE).await;
        let letters = list(&config);
        assert_eq!(columns(&letters), BAD.map(|(_, column)| column));
        let letter = &letters[3];
        assert_eq!(serde_json::json!(letter.key), serde_json::json!({"pk": 4}));
        assert_eq!(letter.row["width"], serde_json::json!(4_294_967_296_u64));
        assert_eq!(letter.position == "snapshot", by_snapshot);

        // Mended rows come by themselves; replay takes their letters off the list.
        world.run("UPDATE illust SET width = 4 WHERE pk = 4").await;
        world.run("UPDATE interaction SET label = 1 WHERE id = 6").await;
        world.run("DELETE FROM interaction WHERE id = 7").await;
        let kept = DeadLetters::open(&config.data, 100).unwrap();
        let left = command::replay(&config, &kept, letters).await.unwrap();
        assert_eq!(
            columns(&left),
            ["illust_id", "illust_id", "tags", "sanity_level", "create_time"]
        );
        assert_eq!(list(&config), left);
        assert!(world.feature.items().iter().any(|item| item.id.0 == 4 && item.width == Some(4)));
        assert_eq!(world.feature.events().len(), 2);
        ingest.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_turn_bad_keep_items_and_take_back_events() {
    let mut world = World::new(LOOSE).await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    world.run("INSERT INTO illust (pk, illust_id, height) VALUES (1, 1, 3), (2, 2, 3)").await;
    world.run("INSERT INTO interaction VALUES (1, 1, 1, 1, '2024-01-01')").await;
    tributary_testkit::wait_until(async || world.feature.events().len() == 1, PATIENCE).await;
    world.run("UPDATE illust SET height = -1").await;
    world.run("UPDATE interaction SET label = 9").await;
    tributary_testkit::wait_until(async || world.feature.events().is_empty(), PATIENCE).await;
    assert!(world.feature.items().iter().all(|item| item.height == Some(3)));
    // Gone is gone, whatever else was wrong with the row.
    world.run("DELETE FROM illust WHERE pk = 2").await;
    tributary_testkit::wait_until(async || world.feature.items().len() == 1, PATIENCE).await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_lists_replays_and_drops() {
    let mut world = World::new(SCHEMA).await;
    world
        .run(
            "INSERT INTO illust (illust_id, artist_id, sanity_level) VALUES (1, 1, 77), (2, 1, 78)",
        )
        .await;
    let config = world.config();
    let ingest = Running::start(config.clone()).await;
    ingest.ready().await;
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ingest"))
            .args(arguments)
            .env("TRIBUTARY__SOURCE__URL", &config.source.url)
            .env("TRIBUTARY__FEATURE__ADDRESS", &config.feature.address)
            .env("TRIBUTARY__DATA", &config.data)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {errors}");
        (String::from_utf8(output.stdout).unwrap(), errors)
    };
    let printed = |arguments: &[&str]| run(arguments).0;
    let listed = printed(&["dead-letters", "list"]);
    assert_eq!(listed.lines().count(), 2);
    assert!(listed.contains(r#""reason":"\"77\" is not among the mapped values""#), "{listed}");
    assert_eq!(printed(&["dead-letters", "list", "--table", "user"]), "");
    world.run("UPDATE illust SET sanity_level = 2 WHERE illust_id = 1").await;
    let left = printed(&["dead-letters", "replay"]);
    assert_eq!(left.lines().count(), 1);
    run(&["dead-letters", "drop"]);
    assert_eq!(printed(&["dead-letters", "list"]), "");
    ingest.stop().await;

    let out = world.folder.join("export").display().to_string();
    let (exported, told) = run(&["export", "--out", &out]);
    assert_eq!(exported, "{\"items\":1,\"users\":0,\"events\":0,\"bad_rows\":1}\n");
    assert!(told.contains("bad row") && told.contains(r#"key={"illust_id":2}"#), "{told}");

    // Asked for, everything is read again.
    world.feature.delete(tributary_domain::ItemId(1));
    run(&["snapshot"]);
    let ingest = Running::start(config).await;
    ingest.ready().await;
    assert_eq!(world.feature.items().len(), 1);
    ingest.stop().await;
}
