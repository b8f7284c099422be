//! Bundles change under a running mesh: swapped, refused, rolled back.

use std::{fs, path::Path, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tributary_e2e::Mesh;
use tributary_testkit::copy_folder;

#[test]
fn a_corrupt_bundle_is_refused_and_a_good_one_swapped_in_and_rolled_back() -> Result<()> {
    let mesh = Mesh::start()?;
    let store = mesh.home().join("store");
    let first = bundle(&mesh)?;
    let second = copy_bundle(&store, &first, "19990101T000000Z-copy")?;
    let corrupt = copy_bundle(&store, &first, "19990102T000000Z-corrupt")?;
    damage(&store.join("bundles").join(&corrupt).join("models/ranker.onnx"))?;

    let refused = publish(&mesh, &store, &corrupt).unwrap_err().to_string();
    ensure!(refused.contains("ranker.onnx"), "the refusal names no file: {refused}");
    force(&store, &corrupt)?;
    serves_for_a_while(&mesh, &first)?;

    force(&store, &first)?;
    publish(&mesh, &store, &second)?;
    becomes(&mesh, &second)?;
    let answer = mesh.tributary(&["bundle", "--store", &store.to_string_lossy(), "rollback"])?;
    ensure!(answer["current"] == first.as_str(), "{answer}");
    becomes(&mesh, &first)
}

fn bundle(mesh: &Mesh) -> Result<String> {
    let list = list(mesh)?;
    Ok(list["bundle_ids"]["ranking"].as_str().with_context(|| format!("{list}"))?.to_owned())
}

fn list(mesh: &Mesh) -> Result<Value> {
    mesh.tributary(&["recommend", "--user", "196", "--skip-impressions"])
}

fn publish(mesh: &Mesh, store: &Path, id: &str) -> Result<Value> {
    mesh.tributary(&["bundle", "--store", &store.to_string_lossy(), "publish", id])
}

/// Moves the pointer past the check, as a careless person or a torn disk would.
fn force(store: &Path, id: &str) -> Result<()> {
    Ok(fs::write(store.join("current"), id)?)
}

/// Copies a bundle under another id, its manifest and hash included.
fn copy_bundle(store: &Path, from: &str, id: &str) -> Result<String> {
    let (source, target) = (store.join("bundles").join(from), store.join("bundles").join(id));
    copy_folder(&source, &target)?;
    let manifest = fs::read_to_string(source.join("manifest.json"))?.replace(from, id);
    fs::write(target.join("manifest.json"), &manifest)?;
    let digest = sha256(&target.join("manifest.json"))?;
    fs::write(target.join("manifest.sha256"), digest)?;
    Ok(id.to_owned())
}

fn sha256(file: &Path) -> Result<String> {
    let text = tributary_e2e::run(std::process::Command::new("sha256sum").arg(file))?;
    Ok(text.split_whitespace().next().context("a digest")?.to_owned())
}

/// Flips one bit in the middle.
fn damage(file: &Path) -> Result<()> {
    let mut bytes = fs::read(file)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Ok(fs::write(file, bytes)?)
}

fn becomes(mesh: &Mesh, id: &str) -> Result<()> {
    let mut last = Value::Null;
    for _ in 0..200 {
        last = list(mesh)?;
        ensure!(last["items"].as_array().is_some_and(|items| !items.is_empty()), "{last}");
        let ids = last["bundle_ids"].as_object().context("bundle ids")?;
        if ids.values().all(|bundle| bundle == id) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    anyhow::bail!("the mesh did not change to {id}: {}", last["bundle_ids"])
}

/// Three polls of the store and more: the refused bundle must not come into use.
fn serves_for_a_while(mesh: &Mesh, id: &str) -> Result<()> {
    for _ in 0..40 {
        let list = list(mesh)?;
        ensure!(list["bundle_ids"]["ranking"] == id, "{list}");
        ensure!(list["degraded"] == serde_json::json!([]), "{list}");
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
