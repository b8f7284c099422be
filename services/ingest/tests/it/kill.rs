//! The built binary under kill -9 while the database changes.

use rand::{Rng, SeedableRng, rngs::StdRng};
use tributary_testkit::{Process, insert_statement, wait_until_serving};

use crate::harness::{PATIENCE, SCHEMA, World, connect};

const STATEMENTS: usize = 700;

/// A statement at random over a few hundred rows.
pub(crate) fn statement(random: &mut StdRng) -> String {
    let (item, user) = (random.random_range(1..300), random.random_range(1..60));
    let time = random.random_range(0..1_000_000);
    match random.random_range(0..10) {
        0 => format!("DELETE FROM illust WHERE illust_id = {item}"),
        1 => {
            format!("UPDATE IGNORE illust SET illust_id = {item} WHERE illust_id = {}", user + 300)
        }
        2 => format!(
            "UPDATE illust SET title = 'r{time}', total_view = total_view + 1 WHERE illust_id BETWEEN {item} AND {}",
            item + 5
        ),
        3 => format!(
            "REPLACE INTO illust (illust_id, artist_id, title) VALUES ({item}, {user}, '猫{time}')"
        ),
        4 => format!("UPDATE interaction SET label = 1 - label WHERE user_id = {user}"),
        5 => format!("DELETE FROM interaction WHERE user_id = {user} AND illust_id < {item}"),
        6 => format!(
            "INSERT INTO user VALUES ({user}, 'u{time}') ON DUPLICATE KEY UPDATE username = 'v{time}'"
        ),
        _ => format!(
            "REPLACE INTO interaction VALUES ({user}, {item}, {}, FROM_UNIXTIME(1700000000 + {time} / 1000))",
            time % 2,
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_nor_twice_under_kill_9() {
    let mut world = World::new(SCHEMA).await;
    let items = insert_statement("illust (illust_id, artist_id)", 1..=200, |id| format!("{id}, 1"));
    world.run(&items).await;
    let row = |number| format!("{}, {number}, 0, '2024-01-01'", 1 + number % 50);
    world.run(&insert_statement("interaction", 1..=200, row)).await;
    let url = world.db.url("shop");
    let port = tributary_testkit::free_port();
    let spawn = || {
        let environment = [
            ("TRIBUTARY__SERVER__LISTEN", format!("127.0.0.1:{port}")),
            ("TRIBUTARY__SERVER__METRICS", "false".to_owned()),
            ("TRIBUTARY__SOURCE__URL", url.clone()),
            ("TRIBUTARY__SOURCE__HEARTBEAT", "100ms".to_owned()),
            ("TRIBUTARY__FEATURE__ADDRESS", world.server.url()),
            ("TRIBUTARY__DATA", world.data().display().to_string()),
            ("TRIBUTARY__SNAPSHOT__CHUNK", "20".to_owned()),
        ];
        let binary = env!("CARGO_BIN_EXE_ingest");
        Process::spawn(binary, [] as [&str; 0], environment, world.folder.join("log")).unwrap()
    };
    let writing = tokio::spawn({
        let url = url.clone();
        async move {
            let mut random = StdRng::seed_from_u64(7);
            let mut sql = connect(&url).await;
            for number in 0..STATEMENTS {
                let text = statement(&mut random);
                let result = mysql_async::prelude::Queryable::query_drop(&mut sql, &text).await;
                result.unwrap_or_else(|error| panic!("{text}: {error}"));
                if number % 20 == 0 {
                    tokio::time::sleep(std::time::Duration::from_millis(60)).await;
                }
            }
        }
    });
    let mut random = StdRng::seed_from_u64(8);
    let mut kills = 0;
    while !writing.is_finished() {
        let mut ingest = spawn();
        let life = std::time::Duration::from_millis(random.random_range(50..700));
        tokio::time::sleep(life).await;
        ingest.kill_9().await.unwrap();
        kills += 1;
    }
    writing.await.unwrap();
    assert!(kills > 3, "{kills} kills are few");
    let _ingest = spawn();
    wait_until_serving(([127, 0, 0, 1], port).into(), "", PATIENCE).await;
    world.converged().await;
}
