//! What cannot work is said at the start, by name.

use tributary_ingest::Config;

use crate::harness::{Running, SCHEMA, World};

#[test]
fn mistakes_of_the_mapping_name_the_key() {
    for (text, part) in [
        ("[mapping.items]\ntable = \"t\"", "mapping.items"),
        ("[mapping.items]\ntable = \"t\"\nid = \"i\"\ncolour = \"c\"", "colour"),
        ("[mapping.items]\ntable = \"\"\nid = \"i\"", "mapping.items.table"),
        ("[mapping]\ninteractions = []", "mapping.items: no table is mapped"),
        (
            "[mapping.items]\ntable = \"t\"\nid = \"i\"\ncreated = { column = \"c\", zone = \"Mars\" }",
            "mapping.items.created.zone: \"Mars\" is not a time zone",
        ),
        (
            "[mapping.items]\ntable = \"t\"\nid = \"i\"\nhidden = [{ column = \"c\" }]",
            "mapping.items.hidden[0]: needs either values or null",
        ),
        (
            "[mapping.items]\ntable = \"t\"\nid = \"i\"\nminimum_age = [{ column = \"c\", values = { R18 = 121 } }]",
            "mapping.items.minimum_age[0].values: 121 is over 120",
        ),
        (
            "[[mapping.interactions]]\ntable = \"t\"\nuser = \"u\"\nitem = \"i\"\naction = { always = \"like\" }\ntime = { column = \"c\" }",
            "like",
        ),
        (
            "[[mapping.interactions]]\ntable = \"t\"\nuser = \"u\"\nitem = \"i\"\naction = { column = \"l\" }\ntime = { column = \"c\" }",
            "mapping.interactions[0].action.values: must not be empty",
        ),
        (
            "[mapping.items]\ntable = \"t\"\nid = \"i\"\n[mapping.users]\ntable = \"t\"\nid = \"i\"",
            "mapping.tables: t is mapped twice",
        ),
        ("[source]\nurl = \"mysql://me:secret@host\"", "source.url: names no database"),
        ("[source]\nurl = \"me:secret@host\"", "source.url: is not like mysql://"),
    ] {
        let error = tributary_runtime::parse::<Config>(text).unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn the_shipped_file_is_the_default() {
    let file = include_str!("../../../../deploy/config/ingest.toml");
    let shipped: Config = tributary_runtime::parse(file).unwrap();
    let default = Config::default();
    assert_eq!(shipped.mapping, default.mapping);
    assert_eq!(shipped.source.url, default.source.url);
    assert_eq!(shipped.snapshot.chunk, default.snapshot.chunk);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_does_not_fit_is_named_at_once() {
    let mut world = World::new(
        "CREATE TABLE illust (illust_id VARCHAR(20) PRIMARY KEY, artist_id BIGINT, tags INT,
            width INT, height INT, sanity_level INT, `restrict` INT, x_restrict INT,
            total_bookmarks INT, total_view INT, title VARCHAR(10) CHARSET sjis);
        CREATE TABLE interaction (user_id INT, illust_id INT, label INT, create_time VARCHAR(20))",
    )
    .await;
    let failure = Running::start(world.config()).await.failure().await;
    let int = if world.db.product().is_mariadb() { "int(11)" } else { "int" };
    for part in [
        "table illust, column illust_id: is varchar(20); a whole number is needed",
        &format!("table illust, column tags: is {int}; a text or JSON is needed"),
        "table illust, column title: has the character set sjis",
        "table user: is missing, or the user has no SELECT on it",
        "table interaction, column create_time: is varchar(20); a TIMESTAMP, DATETIME or DATE is needed",
        "table interaction: has no primary key",
    ] {
        assert!(failure.contains(part), "{part}: {failure}");
    }
    world.run("DROP TABLE illust").await;
    world.run("CREATE TABLE illust (pk INT PRIMARY KEY, illust_id INT)").await;
    let failure = Running::start(world.config()).await.failure().await;
    assert!(failure.contains("column illust_id: must be unique"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_one_is_refused() {
    let mut world = World::new(SCHEMA).await;
    let first = Running::start(world.config()).await;
    first.ready().await;
    let mut other = world.config();
    let failure = Running::start(other.clone()).await.failure().await;
    assert!(failure.contains("another ingest uses the folder"), "{failure}");
    other.data = world.folder.join("other");
    let failure = Running::start(other).await.failure().await;
    assert!(failure.contains("another ingest reads this source"), "{failure}");
    world.run("INSERT INTO illust (illust_id, artist_id) VALUES (1, 1)").await;
    world.converged().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_settings_are_looked_at() {
    let world =
        World::with_options(SCHEMA, &["--binlog-format=MIXED", "--binlog-row-image=MINIMAL"]);
    let world = world.await;
    let failure = Running::start(world.config()).await.failure().await;
    for part in
        ["binlog_format is \"MIXED\" and must be \"ROW\"", "binlog_row_image is \"MINIMAL\""]
    {
        assert!(failure.contains(part), "{failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_binlog_does_not_tell_as_rows_is_told() {
    for statements in [
        "SET SESSION binlog_format = STATEMENT;\nDELETE FROM illust",
        "TRUNCATE illust",
        "DROP TABLE illust",
        "ALTER TABLE illust DISCARD TABLESPACE",
    ] {
        let mut world = World::new(SCHEMA).await;
        world.run("INSERT INTO illust (illust_id, artist_id) VALUES (1, 1)").await;
        let ingest = Running::start(world.config()).await;
        ingest.ready().await;
        world.run(statements).await;
        let failure = ingest.failure().await;
        assert!(failure.contains("table illust"), "{statements}: {failure}");
        assert!(failure.contains("ingest snapshot"), "{statements}: {failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_spelling_of_a_table_is_told() {
    if !tributary_testkit::Product::chosen().is_mariadb() {
        // MySQL takes the setting with an empty data folder only.
        return;
    }
    let world = World::with_options(SCHEMA, &["--lower-case-table-names=1"]).await;
    let mut config = world.config();
    config.mapping.items.as_mut().unwrap().table = "Illust".to_owned();
    let failure = Running::start(config).await.failure().await;
    assert!(failure.contains("table Illust: is spelled illust by the server"), "{failure}");
}
