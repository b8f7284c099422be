//! The rights that the documentation grants are enough, and their absence is told.

use mysql_async::prelude::Queryable;

use crate::harness::{Running, SCHEMA, World};

const PAGE: &str = include_str!("../../../../docs/mysql.md");

/// The lines of the page's first block in that language.
fn block(language: &str) -> impl Iterator<Item = &'static str> {
    let begin = format!("```{language}");
    let lines = PAGE.lines().skip_while(move |line| *line != begin).skip(1);
    lines.take_while(|line| *line != "```")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_settings_are_taken_by_the_server_and_enough() {
    let settings = block("ini").filter_map(|line| line.split_once(" = "));
    let options: Vec<String> = settings.map(|(name, value)| format!("--{name}={value}")).collect();
    assert!(options.len() > 4, "{options:?}");
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut world = World::with_options(SCHEMA, &options).await;
    for statement in block("sql") {
        world.run(&statement.replace("illustrations.", "shop.")).await;
    }
    let mut config = world.config();
    config.source.url = world.db.url_of("tributary", "secret", "shop");
    let ingest = Running::start(config).await;
    ingest.ready().await;
    world.run("INSERT INTO illust (illust_id, artist_id) VALUES (1, 1)").await;
    world.converged().await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_grant_is_enough() {
    let mut world = World::new(SCHEMA).await;
    world
        .run(
            "CREATE USER tributary@'%' IDENTIFIED BY 'secret';
            GRANT SELECT ON shop.illust TO tributary@'%';
            GRANT SELECT ON shop.user TO tributary@'%';
            GRANT SELECT ON shop.interaction TO tributary@'%'",
        )
        .await;
    let mut config = world.config();
    config.source.url = world.db.url_of("tributary", "secret", "shop");
    let failure = Running::start(config.clone()).await.failure().await;
    assert!(failure.contains("lacks a right"), "{failure}");

    world.run("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO tributary@'%'").await;
    world.run("INSERT INTO illust (illust_id, artist_id) VALUES (1, 1)").await;
    let ingest = Running::start(config.clone()).await;
    ingest.ready().await;
    world.run("INSERT INTO illust (illust_id, artist_id) VALUES (2, 1)").await;
    world.run("ALTER TABLE illust ADD COLUMN note TEXT FIRST").await;
    world.run("INSERT INTO illust (illust_id, artist_id) VALUES (3, 1)").await;
    world.converged().await;
    ingest.stop().await;

    // Nothing was written: the account could not, and nothing asked it to.
    let writes: Vec<(String, String)> = world
        .sql
        .query("SHOW GRANTS FOR tributary@'%'")
        .await
        .map(|rows: Vec<String>| rows.into_iter().map(|grant| (grant, String::new())).collect())
        .unwrap();
    assert!(writes.iter().all(|(grant, _)| !grant.contains("INSERT") && !grant.contains("ALL")));

    config.source.url = world.db.url_of("tributary", "wrong", "shop");
    let failure = Running::start(config).await.failure().await;
    assert!(failure.contains("lacks a right") && failure.contains("Access denied"), "{failure}");
    assert!(!failure.contains("wrong@"), "the password is not told: {failure}");
}
