//! The store on a Redis Cluster whose masters die.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tributary_e2e::{Mesh, sample_data, trained_home};
use tributary_proto::{
    entity::v1::{Action, Event},
    feature::v1::{GetUserContextRequest, RecordEventsRequest},
};
use tributary_testkit::RedisCluster;

/// All of them are looked at: every master holds some.
const USERS: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_loses_a_master_fails_no_request_and_heals() -> Result<()> {
    let mut cluster = RedisCluster::start().await;
    let mesh = tokio::task::block_in_place(|| mesh_on(&cluster))?;
    let of_the_logs = cluster.master_of("t1:{log}:n").await;
    let of_users_only = (of_the_logs + 1) % 3;
    for (round, index) in (1_u64..).zip([of_users_only, of_the_logs]) {
        bookmark(&mesh, 1_000 * round).await?;
        let gateway = mesh.address("gateway");
        let load = thread::spawn(move || load(&gateway));
        tokio::time::sleep(Duration::from_secs(1)).await;
        cluster.master(index).kill_9().await;
        let report = tokio::task::spawn_blocking(|| load.join().expect("no panic")).await??;
        println!("master {index} killed: {report}");
        ensure!(report["failed"] == serde_json::json!({}), "{report}");
        ensure!(report["empty"] == 0, "{report}");
        let named = report["degraded"].as_object().context("degraded")?;
        ensure!(named.keys().any(|reason| reason.contains("feature")), "{report}");
        heals(&mesh).await?;
        still_there(&mesh, 1_000 * round).await?;
        bookmark(&mesh, 1_000 * round + 500).await?;
        cluster.master(index).restart().await;
        cluster.wait_until_whole().await;
    }
    tokio::task::block_in_place(|| mesh.stop())?;
    Ok(())
}

/// Every process, and `feature` on the Cluster.
fn mesh_on(cluster: &RedisCluster) -> Result<Mesh> {
    let home = trained_home()?;
    let file = home.path().join("feature-on-a-cluster.toml");
    let urls = cluster.urls();
    fs::write(
        &file,
        format!("[store]\nkind = \"redis\"\n[redis]\nmode = \"cluster\"\nurls = {urls:?}\n"),
    )?;
    let file = file.to_string_lossy().into_owned();
    Mesh::start_with(home, &sample_data(), &["--feature-config", &file])
}

/// Long enough for the Cluster to notice, to vote, and to serve again.
fn load(gateway: &str) -> Result<Value> {
    let users = USERS.to_string();
    let arguments = ["load", "--duration", "10s", "--warm-up", "0s", "--concurrency", "2"];
    tributary_e2e::load(gateway, &[&arguments[..], &["--users", &users, "--impressions"]].concat())
}

/// Waits until the lists of all users come with nothing left out.
async fn heals(mesh: &Mesh) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    let mut last = String::new();
    'again: while Instant::now() < end {
        for user in 1..=USERS {
            let list = mesh.recommend(user, 5).await?;
            if !list.degraded.is_empty() {
                last = format!("user {user}: {:?}", list.degraded);
                continue 'again;
            }
        }
        return Ok(());
    }
    anyhow::bail!("answers are still degraded: {last}")
}

fn event(user: u64) -> Event {
    Event {
        user_id: 9_000_000 + user,
        item_id: 50,
        action: Action::Bookmark.into(),
        time_ms: 1_700_000_000_000,
        dwell_ms: 0,
    }
}

/// An event of `USERS` users each, numbered from `first`, that is acknowledged.
async fn bookmark(mesh: &Mesh, first: u64) -> Result<()> {
    let events = (first..first + USERS).map(event).collect();
    let request = RecordEventsRequest { events, served: vec![] };
    let answer = mesh.feature().await?.record_events(request).await?.into_inner();
    ensure!(u64::from(answer.recorded) == USERS, "{answer:?}");
    Ok(())
}

async fn still_there(mesh: &Mesh, first: u64) -> Result<()> {
    let mut feature = mesh.feature().await?;
    for user in first..first + USERS {
        let request = GetUserContextRequest { user_id: event(user).user_id };
        let context = feature.get_user_context(request).await?.into_inner().context;
        let items = context.and_then(|context| context.behaviours).map(|kept| kept.item_ids);
        ensure!(items == Some(vec![50]), "user {user} lost what was acknowledged: {items:?}");
    }
    Ok(())
}
