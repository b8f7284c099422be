//! The six channels: each is named with what it found, and a bundle that lacks some of them leaves
//! the others alone.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tributary_bundle::{Bundle, Draft, ManifestParts, Store};
use tributary_domain::BundleId;
use tributary_e2e::{Mesh, sample_data, trained_home};
use tributary_proto::gateway::v1::{
    Overrides, RecommendRequest, RecommendResponse, degradation::Reason,
};

/// In the order of their turns in merging.
const CHANNELS: [&str; 6] =
    ["two-tower", "multi-interest", "graph", "collaborative", "search", "trending"];
const USER: u64 = 196;

#[tokio::test(flavor = "multi_thread")]
async fn every_channel_is_named_with_what_it_found() -> Result<()> {
    let mesh = Mesh::start()?;
    let list = explained(&mesh, &[]).await?;
    ensure!(list.degraded.is_empty(), "{:?}", list.degraded);
    let reports = list.explanation.context("an explanation")?.channels;
    let names: Vec<&str> = reports.iter().map(|report| report.channel.as_str()).collect();
    ensure!(names == CHANNELS, "{names:?}");
    for report in &reports {
        ensure!(report.candidates == 200, "{report:?}");
    }
    for channel in CHANNELS {
        let list = explained(&mesh, &[channel]).await?;
        ensure!(list.items.len() == 10, "{channel} alone gave {}", list.items.len());
        for item in &list.items {
            let found = &item.explanation.as_ref().context("an explanation")?.channels;
            let only = found.iter().all(|finding| finding.channel == channel);
            ensure!(only && found.len() == 1, "{channel}: {found:?}");
        }
    }
    command_line_names_them(&mesh)
}

fn command_line_names_them(mesh: &Mesh) -> Result<()> {
    let user = USER.to_string();
    let list =
        mesh.tributary(&["recommend", "--user", &user, "--explain", "--skip-impressions"])?;
    let reports = list["explanation"]["channels"].as_array().context("channels")?;
    let names: Vec<&Value> = reports.iter().map(|report| &report["channel"]).collect();
    ensure!(names == CHANNELS, "{names:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_without_two_channels_leaves_the_others_alone() -> Result<()> {
    let home = trained_home()?;
    let whole = publish_older(&home)?;
    let mesh = Mesh::start_in(home, &sample_data())?;
    let list = explained(&mesh, &[]).await?;
    ensure!(list.items.len() == 10, "{} items", list.items.len());
    for (component, file) in [
        ("recall-multi-interest", "tables/multi_interest_vectors.safetensors"),
        ("recall-graph", "tables/graph_vectors.safetensors"),
    ] {
        let named = list.degraded.iter().find(|part| part.component == component);
        let named = named.with_context(|| format!("{component} in {:?}", list.degraded))?;
        ensure!(named.reason() == Reason::Error && named.detail.contains(file), "{named:?}");
    }
    ensure!(list.degraded.len() == 2, "{:?}", list.degraded);

    Store::at(mesh.home().join("store")).publish(&whole)?;
    for _ in 0..200 {
        if explained(&mesh, &[]).await?.degraded.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the whole bundle is published, and answers are still degraded")
}

async fn explained(mesh: &Mesh, channels: &[&str]) -> Result<RecommendResponse> {
    let channels = channels.iter().map(|channel| (*channel).to_owned()).collect();
    let overrides = Overrides { channels, skip_impressions: true, ..Overrides::default() };
    let request = RecommendRequest {
        user_id: USER,
        size: 10,
        explain: true,
        overrides: Some(overrides),
        ..RecommendRequest::default()
    };
    Ok(mesh.gateway().await?.recommend(request).await?.into_inner())
}

/// Publishes what a trainer without multi-interest and graph would have made of the same data;
/// gives the id of the bundle that was published before.
fn publish_older(home: &TempDir) -> Result<BundleId> {
    let store = Store::at(home.path().join("store"));
    let whole = store.current()?.context("a published bundle")?;
    let older = write_older(&store, &store.open(&whole)?)?;
    store.publish(&older)?;
    Ok(whole)
}

fn write_older(store: &Store, whole: &Bundle) -> Result<BundleId> {
    let is_new = |name: &str| name.contains("multi_interest") || name.contains("graph");
    let mut draft = Draft::new(store)?;
    let manifest = whole.manifest().clone();
    for file in manifest.files.keys().filter(|file| !is_new(file)) {
        draft.write(file, &whole.read(file)?)?;
    }
    let models = manifest.models.into_iter().filter(|model| !is_new(&model.name));
    let specifications = manifest.specifications.into_iter().filter(|(name, _)| !is_new(name));
    Ok(draft.finish(ManifestParts {
        data_fingerprint: manifest.data_fingerprint,
        models: models.collect(),
        specifications: specifications.collect(),
        metrics: manifest.metrics,
        parameters: manifest.parameters,
        gate: manifest.gate,
    })?)
}
