//! Every kind of change of every table, and every kind of value.

use mysql_async::prelude::Queryable;
use tributary_domain::Action;
use tributary_testkit::insert_statement;

use crate::{
    contents::Contents,
    harness::{Running, SCHEMA, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_all_tables_are_followed() {
    let mut world = World::new(SCHEMA).await;
    world
        .run(
            r#"INSERT INTO illust (illust_id, artist_id, title, tags, width, height) VALUES
               (1, 7, 'before', '[{"name": "キサキ", "translatedName": "妃咲", "id": 1}]', 2362, 4724);
            INSERT INTO user VALUES (1, 'zt'), (2, 'yu');
            INSERT INTO interaction VALUES (1, 1, 0, '2024-02-10 21:24:09.125')"#,
        )
        .await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    world.converged().await;

    for statements in [
        // All columns, the largest numbers, texts beyond the basic plane.
        r#"INSERT INTO illust VALUES (18446744073709551615, 18446744073709551614, '🎨 ü 猫 "x" \\',
            '[{"name":"ブルアカ","translatedName":"","id":3},{"name":"🐈"}]', 4294967295, 1, 4, 0, 2,
            4294967295, 251, '2038-01-01 00:00:00')"#,
        "INSERT INTO illust (illust_id, artist_id) VALUES (3, 0), (4, 1), (5, 1)",
        "UPDATE illust SET title = 'after', total_bookmarks = total_bookmarks + 59 WHERE illust_id < 5",
        "UPDATE illust SET illust_id = 6 WHERE illust_id = 5",
        "UPDATE illust SET sanity_level = 6, `restrict` = 1 WHERE illust_id = 3",
        "UPDATE illust SET tags = NULL WHERE illust_id = 1",
        "DELETE FROM illust WHERE illust_id = 4",
        "INSERT INTO user VALUES (3, 'x'); UPDATE user SET user_id = 4 WHERE user_id = 3",
        "UPDATE user SET username = 'renamed'; DELETE FROM user WHERE user_id = 2",
        "INSERT INTO interaction VALUES (1, 3, 0, '2024-02-11 00:00:00'), (4, 1, 1, '2024-02-11 00:00:00.999')",
        "UPDATE interaction SET label = 1",
        "UPDATE interaction SET create_time = '2024-03-01 10:00:00' WHERE illust_id = 3",
        "UPDATE interaction SET illust_id = 6 WHERE illust_id = 3",
        "DELETE FROM interaction WHERE user_id = 4",
        // A transaction of several tables, and one that is taken back.
        "BEGIN; INSERT INTO illust (illust_id, artist_id) VALUES (9, 9);
            INSERT INTO interaction VALUES (1, 9, 1, '2024-04-01 00:00:00'); COMMIT",
        "BEGIN; DELETE FROM illust; ROLLBACK",
        "REPLACE INTO interaction VALUES (1, 9, 0, '2024-04-02 00:00:00')",
        "INSERT INTO interaction VALUES (1, 9, 1, '2024-04-03 00:00:00')
            ON DUPLICATE KEY UPDATE label = 1",
    ] {
        let statements: String = statements.split("; ").map(|one| format!("{one};\n")).collect();
        world.run(&statements).await;
        world.converged().await;
    }
    let held = Contents::of_database(&mut world.sql).await;
    assert_eq!(held.events.len(), 3);
    assert_eq!(held.items.len(), 5);
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_than_a_call_takes_are_written_in_parts() {
    let mut world = World::new(SCHEMA).await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    let rows =
        insert_statement("illust (illust_id, artist_id)", 1..=2_500, |id| format!("{id}, 1"));
    world.run(&rows).await;
    world.converged().await;
    // Each row is two changes: the old id goes, the new one comes.
    world.run("UPDATE illust SET illust_id = illust_id + 10000").await;
    world.converged().await;
    world.run("DELETE FROM illust WHERE illust_id < 12000").await;
    world.converged().await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_stays_while_another_row_tells_it() {
    let schema = SCHEMA
        .replace("PRIMARY KEY (user_id, illust_id)", "id INT NOT NULL AUTO_INCREMENT PRIMARY KEY");
    let mut world = World::new(&schema).await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    for statements in [
        "INSERT INTO interaction VALUES (1, 2, 1, '2024-01-01 00:00:00', 1),
            (1, 2, 1, '2024-01-01 00:00:00', 2), (1, 2, 1, '2024-01-01 00:00:00', 3)",
        "DELETE FROM interaction WHERE id = 1",
        "UPDATE interaction SET label = 0 WHERE id = 2",
        "UPDATE interaction SET id = 9 WHERE id = 3",
        "DELETE FROM interaction WHERE id = 9",
    ] {
        world.run(statements).await;
        world.converged().await;
    }
    assert_eq!(world.feature.events().len(), 1);
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_types_and_rules_are_read() {
    let mut world = World::new(
        "CREATE TABLE work (
            pk VARCHAR(20) PRIMARY KEY, work_id DECIMAL(20,0) UNIQUE, name VARCHAR(50) CHARSET latin1,
            kind ENUM('picture','ad','it''s'), labels VARCHAR(200), made DATETIME(6),
            released YEAR, gone_at DATETIME NULL, small TINYINT UNSIGNED, middle MEDIUMINT UNSIGNED,
            flags SET('adult','private'));
        CREATE TABLE act (id INT AUTO_INCREMENT PRIMARY KEY, who INT UNSIGNED, what MEDIUMINT,
            kind ENUM('like','look','buy'), at DECIMAL(16,3), looked INT);",
    )
    .await;
    let mut config = world.config();
    let text = r#"
        [mapping.items]
        table = "work"
        id = "work_id"
        title = "name"
        year = "released"
        width = "small"
        height = "middle"
        tags = { column = "labels", format = "separated", separator = "," }
        created = { column = "made", zone = "Asia/Tokyo" }
        only = [{ column = "kind", values = ["picture", "it's"] }]
        deleted = [{ column = "gone_at", null = false }]
        hidden = [{ column = "flags", values = ["private", "adult,private"] }]
        [[mapping.interactions]]
        table = "act"
        user = "who"
        item = "what"
        action = { column = "kind", values = { like = "bookmark", look = "view", buy = "ignore" } }
        time = { column = "at", format = "seconds" }
        dwell_ms = "looked"
    "#;
    let parsed: tributary_ingest::Config = tributary_runtime::parse(text).unwrap();
    config.mapping = parsed.mapping;
    let rows = "INSERT INTO work VALUES
        ('a', 1, 'café', 'picture', 'cat, dog,,cat', '2024-02-11 06:24:09.5', 2024, NULL, 255, 16777215, 'private'),
        ('b', 2, 'x', 'ad', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
        ('c', 3, 'y', 'picture', '', NULL, NULL, '2024-01-01', 1, 1, ''),
        ('d', 4, '€', 'it''s', 'one', NULL, NULL, NULL, 128, 8388608, 'adult');
        INSERT INTO act (who, what, kind, at, looked) VALUES (4294967295, 1, 'like', 1707600249.125, 5),
        (1, 4, 'look', 1707600250, 700), (1, 4, 'buy', 1707600251, 0)";
    world.run(rows).await;
    let ingest = Running::start(config).await;
    ingest.ready().await;
    let by_snapshot = look(&world);
    // The same rows once more, this time from the binlog.
    world.run("UPDATE work SET gone_at = NOW(); DELETE FROM act").await;
    tributary_testkit::wait_until(
        async || look(&world).0.is_empty() && look(&world).1.is_empty(),
        crate::harness::PATIENCE,
    )
    .await;
    world.run("DELETE FROM work").await;
    world.run(rows).await;
    tributary_testkit::wait_until(async || look(&world) == by_snapshot, crate::harness::PATIENCE)
        .await;

    let (items, events) = by_snapshot;
    assert_eq!(items.iter().map(|item| item.id.0).collect::<Vec<_>>(), [1, 4]);
    let first = &items[0];
    assert_eq!((first.title.as_str(), first.year, first.hidden), ("café", Some(2024), true));
    assert_eq!(first.tags, ["cat", "dog"]);
    assert_eq!(first.created.unwrap().0, 1_707_600_249_500);
    assert_eq!((first.width, first.height), (Some(255), Some(16_777_215)));
    assert_eq!((items[1].title.as_str(), items[1].width, items[1].hidden), ("€", Some(128), false));
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            (event.user.0, event.behaviour.action, event.behaviour.time.0, event.behaviour.dwell_ms)
        })
        .collect();
    let wanted = [
        (1, Action::View, 1_707_600_250_000, 700),
        (4_294_967_295, Action::Bookmark, 1_707_600_249_125, 0),
    ];
    assert_eq!(told, wanted);
    let left: Vec<u32> = world.sql.query("SELECT COUNT(*) FROM act").await.unwrap();
    assert_eq!(left, [3]);
    ingest.stop().await;
}

fn look(world: &World) -> (Vec<tributary_domain::Item>, Vec<tributary_domain::Event>) {
    let items = world.feature.items();
    let mut events = world.feature.events();
    events.sort_by_key(|event| event.user);
    (items, events)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dwell_time_changes_though_other_rows_may_tell_the_event() {
    let schema = SCHEMA.replace(
        "PRIMARY KEY (user_id, illust_id)",
        "looked INT NOT NULL DEFAULT 0, id INT NOT NULL AUTO_INCREMENT PRIMARY KEY",
    );
    let mut world = World::new(&schema).await;
    let mut config = world.config();
    config.mapping.interactions[0].dwell_ms = Some("looked".to_owned());
    let ingest = Running::start(config).await;
    ingest.ready().await;
    let row = "INSERT INTO interaction (user_id, illust_id, label, create_time)
        VALUES (1, 2, 0, '2024-01-01')";
    world.run(row).await;
    world.converged().await;
    world.run("UPDATE interaction SET looked = 700").await;
    let dwell = async || {
        let events = world.feature.events();
        events.len() == 1 && events[0].behaviour.dwell_ms == 700
    };
    tributary_testkit::wait_until(dwell, crate::harness::PATIENCE).await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_rows_of_other_tables_are_passed_over() {
    let mut world = World::with_options(SCHEMA, &["--max-allowed-packet=4M"]).await;
    world.run("CREATE TABLE other (id INT PRIMARY KEY, picture LONGBLOB)").await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    // An update's event holds both values: more than the server takes of a client.
    world.run("INSERT INTO other VALUES (1, REPEAT('a', 3000000))").await;
    world.run("UPDATE other SET picture = REPEAT('b', 3000000)").await;
    world.run("INSERT INTO illust (illust_id, artist_id) VALUES (1, 1)").await;
    world.converged().await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_comes_back_has_the_interactions_that_are_there() {
    let mut world = World::new(SCHEMA).await;
    let mut config = world.config();
    let text = "[mapping.users]\ntable = \"user\"\nid = \"user_id\"
        deleted = [{ column = \"username\", values = [\"banned\"] }]";
    let parsed: tributary_ingest::Config = tributary_runtime::parse(text).unwrap();
    config.mapping.users = parsed.mapping.users;
    world
        .run(
            "INSERT INTO user VALUES (1, 'x'), (2, 'y'); INSERT INTO interaction VALUES
        (1, 7, 1, '2024-01-01'), (1, 8, 0, '2024-01-02'), (2, 7, 1, '2024-01-03')"
                .replace("; ", ";\n")
                .as_str(),
        )
        .await;
    let ingest = Running::start(config).await;
    ingest.ready().await;
    world.converged().await;
    world
        .run("BEGIN;\nDELETE FROM user WHERE user_id = 1;\nINSERT INTO user VALUES (1, 'again');\nCOMMIT")
        .await;
    world.run("INSERT INTO user VALUES (3, 'z')").await;
    world.converged().await;

    world.run("UPDATE user SET username = 'banned' WHERE user_id = 1").await;
    tributary_testkit::wait_until(
        async || world.feature.events().len() == 1,
        crate::harness::PATIENCE,
    )
    .await;
    world.run("UPDATE user SET username = 'pardoned' WHERE user_id = 1").await;
    world.converged().await;
    assert_eq!(world.feature.events().len(), 3);
    ingest.stop().await;
}
