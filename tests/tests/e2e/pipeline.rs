//! From the rows of a database to a swapped bundle, and from what was served to a data set.

use std::process::Command;

use anyhow::{Result, ensure};
use tributary_e2e::{Mesh, PipelineSettings, binary, pipeline, repository, run_json, sample_data};

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_trained_from_the_database_and_swapped_without_a_failed_request() -> Result<()>
{
    let config = repository().join("tests/fixtures/quick-trainer.toml");
    let settings =
        PipelineSettings { data: sample_data(), users: 150, trainer_config: Some(config) };
    let outcome = pipeline(&settings).await?;
    ensure!(outcome.first_bundle != outcome.second_bundle, "{outcome:?}");
    ensure!(outcome.exported["items"] == 1_682 && outcome.exported["bad_rows"] == 0, "{outcome:?}");
    ensure!(outcome.requests > 0 && outcome.failed == 0, "{outcome:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_served_is_exported_with_its_context_and_read_by_the_trainer() -> Result<()> {
    let mesh = tokio::task::block_in_place(Mesh::start)?;
    let list = mesh.tributary(&["recommend", "--user", "196", "--size", "7"])?;
    let shown = list["items"].as_array().map_or(0, Vec::len);
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("export");
    // Impressions are recorded behind the answer.
    let served = until_served(&mesh, &out)?;
    ensure!(served["items"].as_array().map(Vec::len) == Some(shown), "{served}");
    ensure!(served["user"] == 196, "{served}");
    for (place, item) in served["items"].as_array().into_iter().flatten().enumerate() {
        ensure!(item["item"] == list["items"][place]["item"], "{served}\n{list}");
        ensure!(item["channels"].as_array().is_some_and(|all| !all.is_empty()), "{served}");
    }
    ensure!(served.get("late").is_none() && served.get("early").is_none(), "{served}");
    tokio::task::block_in_place(|| mesh.stop())?;
    Ok(())
}

/// The first answer among what was served, as `trainer prepare` reads it from the export.
fn until_served(mesh: &Mesh, out: &std::path::Path) -> Result<serde_json::Value> {
    for _ in 0..50 {
        let feature = mesh.address("feature");
        run_json(
            Command::new(binary("tributary")?)
                .args(["--json", "--feature", &feature, "export", "--out"])
                .arg(out),
        )?;
        let prepared = out.with_extension("prepared");
        run_json(
            Command::new(binary("trainer")?)
                .args(["prepare", "--json", "--data"])
                .arg(out)
                .arg("--out")
                .arg(&prepared),
        )?;
        let served = std::fs::read_to_string(prepared.join("served.jsonl"))?;
        if let Some(first) = served.lines().next() {
            return Ok(serde_json::from_str(first)?);
        }
    }
    anyhow::bail!("no impression came with its context")
}
