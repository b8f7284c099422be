//! Tables that change while they are followed.

use tributary_ingest::OnSchemaChange;

use crate::harness::{Running, SCHEMA, World};

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_other_columns_are_survived() {
    for options in [&[][..], &["--binlog-row-metadata=FULL"]] {
        let mut world = World::with_options(SCHEMA, options).await;
        let ingest = Running::start(world.config()).await;
        ingest.ready().await;
        let mut id = 0;
        for change in [
            "ALTER TABLE illust ADD COLUMN note TEXT FIRST",
            "ALTER TABLE illust ADD COLUMN score DOUBLE AFTER artist_id, ADD COLUMN place POINT",
            "ALTER TABLE illust MODIFY COLUMN width INT UNSIGNED NOT NULL DEFAULT 0 AFTER total_view",
            "ALTER TABLE illust DROP COLUMN note",
            // Columns of one type change places: only the statement tells.
            "ALTER TABLE illust MODIFY COLUMN total_view INT UNSIGNED NOT NULL DEFAULT 0 AFTER height",
            "ALTER TABLE illust MODIFY COLUMN title VARCHAR(500) NOT NULL DEFAULT ''",
            "ALTER TABLE illust MODIFY COLUMN artist_id INT UNSIGNED NOT NULL",
            "RENAME TABLE illust TO aside, aside TO illust",
            "ALTER TABLE interaction ADD COLUMN source VARCHAR(10) FIRST",
            "CREATE INDEX by_artist ON illust (artist_id)",
        ] {
            id += 1;
            let insert = |id: u32| {
                format!(
                    "INSERT INTO illust (illust_id, artist_id, title, width, height, total_view)
                        VALUES ({id}, 7, 'title {id}', 11, 22, 33);
                    INSERT INTO interaction (user_id, illust_id, label, create_time)
                        VALUES (1, {id}, 1, '2024-01-01')"
                )
            };
            world.run(&insert(id)).await;
            world.run(&change.replace("; ", ";\n")).await;
            world.run(&insert(id + 100)).await;
            world.run("UPDATE illust SET total_bookmarks = total_bookmarks + 1").await;
            world.converged().await;
        }
        ingest.stop().await;

        // Two changes while nobody looks, rows before, between and after them.
        world.run("INSERT INTO illust (illust_id, artist_id, width) VALUES (301, 1, 5)").await;
        world.run("ALTER TABLE illust ADD COLUMN first_new VARCHAR(77) FIRST").await;
        world.run("INSERT INTO illust (illust_id, artist_id, width) VALUES (302, 1, 6)").await;
        let told = !options.is_empty();
        if told {
            world.run("ALTER TABLE illust ADD COLUMN second_new VARCHAR(88) FIRST").await;
            world.run("INSERT INTO illust (illust_id, artist_id, width) VALUES (303, 1, 7)").await;
        }
        let ingest = Running::start(world.config()).await;
        world.converged().await;
        ingest.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_whose_columns_nobody_knows_are_an_error() {
    let mut world = World::new(SCHEMA).await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    ingest.stop().await;
    world.run("ALTER TABLE illust ADD COLUMN first_new VARCHAR(77) FIRST").await;
    world.run("INSERT INTO illust (illust_id, artist_id) VALUES (1, 1)").await;
    world.run("ALTER TABLE illust ADD COLUMN second_new VARCHAR(88) FIRST").await;
    let failure = Running::start(world.config()).await.failure().await;
    for part in ["table illust", "13 columns", "14 now", "12 columns", "binlog_row_metadata = FULL"]
    {
        assert!(failure.contains(part), "{part}: {failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_mapped_columns_are_reported_with_their_names() {
    for (change, table, column) in [
        ("ALTER TABLE illust DROP COLUMN width", "illust", "column width: is missing"),
        ("ALTER TABLE illust CHANGE tags labels JSON", "illust", "column tags: is missing"),
        ("ALTER TABLE interaction MODIFY label FLOAT", "interaction", "column label: is float"),
        ("TRUNCATE TABLE user", "user", "was emptied or filled by a statement"),
        ("DROP TABLE interaction", "interaction", "was emptied or filled by a statement"),
        (
            "SET binlog_format = 'STATEMENT'; UPDATE illust SET title = 'unseen'",
            "illust",
            "was changed by a statement",
        ),
    ] {
        let mut world = World::new(SCHEMA).await;
        world.run("INSERT INTO illust (illust_id, artist_id) VALUES (1, 1)").await;
        let ingest = Running::start(world.config()).await;
        ingest.ready().await;
        world.run(&change.replace("; ", ";\n")).await;
        let failure = ingest.failure().await;
        assert!(failure.contains(&format!("table {table}")), "{failure}");
        assert!(failure.contains(column), "{failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_may_stop_alone_and_is_read_anew_once_it_fits() {
    let mut world = World::new(SCHEMA).await;
    world.run("INSERT INTO illust (illust_id, artist_id, height) VALUES (1, 1, 5)").await;
    let mut config = world.config();
    config.source.on_schema_change = OnSchemaChange::StopTable;
    let ingest = Running::start(config.clone()).await;
    ingest.ready().await;
    world.run("ALTER TABLE illust DROP COLUMN height").await;
    world.run("INSERT INTO illust (illust_id, artist_id) VALUES (2, 1)").await;
    world.run("INSERT INTO interaction VALUES (1, 2, 1, '2024-01-01')").await;
    tributary_testkit::wait_until(
        async || world.feature.events().len() == 1,
        crate::harness::PATIENCE,
    )
    .await;
    assert_eq!(world.feature.items().len(), 1, "the table is not followed");
    ingest.stop().await;

    // Still stopped after a start, until the column is back.
    let ingest = Running::start(config.clone()).await;
    ingest.ready().await;
    ingest.stop().await;
    assert_eq!(world.feature.items().len(), 1);
    world.run("ALTER TABLE illust ADD COLUMN height INT UNSIGNED NOT NULL DEFAULT 9").await;
    let ingest = Running::start(config).await;
    ingest.ready().await;
    world.converged().await;
    world.run("INSERT INTO illust (illust_id, artist_id) VALUES (3, 1)").await;
    world.converged().await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_not_forgotten_by_a_restart_before_the_next_row() {
    let mut world = World::new(SCHEMA).await;
    world
        .run("INSERT INTO illust (illust_id, artist_id, width, height) VALUES (1, 7, 11, 22)")
        .await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    world.run("UPDATE illust SET width = 12").await;
    world.converged().await;
    // Columns of one type change places, and the position moves past the statement.
    world.run("ALTER TABLE illust MODIFY COLUMN height INT UNSIGNED NOT NULL DEFAULT 0 AFTER artist_id").await;
    world.run("INSERT INTO user VALUES (5, 'x')").await;
    world.converged().await;
    ingest.stop().await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    world.run("UPDATE illust SET width = 13").await;
    world.converged().await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_another_type_may_be_others_and_are_told() {
    let mut world = World::new(SCHEMA).await;
    let ingest = Running::start(world.config()).await;
    ingest.ready().await;
    world.run("ALTER TABLE interaction MODIFY create_time DATETIME NOT NULL").await;
    let failure = ingest.failure().await;
    assert!(
        failure.contains("table interaction, column create_time: was timestamp(3)"),
        "{failure}"
    );
    assert!(failure.contains("ingest snapshot"), "{failure}");
}
