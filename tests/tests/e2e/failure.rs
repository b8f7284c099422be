//! Killed processes: no failed request, a named reason, and healing without touching the others.

use std::{collections::BTreeMap, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tributary_e2e::Mesh;
use tributary_proto::entity::v1::{Action, Event};
use tributary_proto::feature::v1::{GetUserContextRequest, RecordEventsRequest};

#[test]
fn killing_any_process_fails_no_request_and_a_restart_heals() -> Result<()> {
    let mut mesh = Mesh::start()?;
    for name in mesh.names().into_iter().filter(|name| name != "gateway") {
        let others = pids_without(&mesh, &name)?;
        let report = load_while_killing(&mut mesh, &name)?;
        ensure!(report["failed"] == serde_json::json!({}), "{name} killed: {report}");
        ensure!(report["empty"] == 0, "{name} killed: {report}");
        let named = report["degraded"].as_object().context("degraded")?;
        ensure!(named.keys().any(|reason| names(reason, &name)), "{name} killed: {report}");
        mesh.restart(&name)?;
        heals(&mesh, &name)?;
        ensure!(pids_without(&mesh, &name)? == others, "restarting {name} touched another process");
    }
    Ok(())
}

/// The gateway names channels with or without the prefix of their process.
fn names(reason: &str, process: &str) -> bool {
    reason.contains(process.trim_start_matches("recall-"))
}

fn load_while_killing(mesh: &mut Mesh, name: &str) -> Result<Value> {
    let arguments = ["load", "--duration", "4s", "--warm-up", "0s", "--concurrency", "2"];
    thread::scope(|scope| {
        let load = {
            let gateway = mesh.address("gateway");
            scope.spawn(move || tributary_e2e::load(&gateway, &arguments))
        };
        thread::sleep(Duration::from_millis(500));
        mesh.kill_9(name)?;
        load.join().expect("the load thread does not panic")
    })
}

/// Waits until a list comes with nothing left out.
fn heals(mesh: &Mesh, name: &str) -> Result<()> {
    let mut last = Value::Null;
    for _ in 0..100 {
        let list = mesh.tributary(&["recommend", "--user", "196", "--skip-impressions"])?;
        if list["degraded"] == serde_json::json!([]) {
            return Ok(());
        }
        last = list["degraded"].clone();
        thread::sleep(Duration::from_millis(100));
    }
    anyhow::bail!("{name} is back, and answers are still degraded: {last}")
}

fn pids_without(mesh: &Mesh, name: &str) -> Result<BTreeMap<String, u32>> {
    let processes = mesh.status()?.into_iter().filter(|(process, _)| process != name);
    Ok(processes.map(|(process, of)| (process, of.pid)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_events_survive_kill_9_of_feature() -> Result<()> {
    let mut mesh = Mesh::start()?;
    let user = 9_000_002;
    let event = |item_id: u64| Event {
        user_id: user,
        item_id,
        action: Action::Bookmark.into(),
        time_ms: 1_700_000_000_000 + i64::try_from(item_id).expect("small"),
        dwell_ms: 0,
    };
    let mut feature = mesh.feature().await?;
    for item in 1..=50 {
        let request = RecordEventsRequest { events: vec![event(item)], served: vec![] };
        ensure!(feature.record_events(request).await?.into_inner().recorded == 1);
    }
    mesh.kill_9("feature")?;
    mesh.restart("feature")?;
    let mut feature = mesh.feature().await?;
    let context = feature.get_user_context(GetUserContextRequest { user_id: user }).await?;
    let context = context.into_inner().context.context("context")?;
    let kept = context.behaviours.context("behaviours")?.item_ids;
    ensure!(kept == (1..=50).collect::<Vec<u64>>(), "{kept:?}");
    let events = (1..=50).map(event).collect();
    let again = RecordEventsRequest { events, served: vec![] };
    let again = feature.record_events(again).await?.into_inner();
    ensure!((again.recorded, again.duplicates) == (0, 50), "{again:?}");
    Ok(())
}

#[test]
fn a_mesh_that_is_stopped_drains_and_says_so() -> Result<()> {
    let mesh = Mesh::start()?;
    ensure!(mesh.first_list["items"].as_array().context("items")?.len() == 10);
    ensure!(mesh.stop()? == Some(0), "`up` did not end cleanly");
    Ok(())
}
