use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;

use crate::command::{binary, repository, run};

/// A new home with a published bundle in it, trained on MovieLens 100K with the quick
/// configuration of the fixtures.
pub fn trained_home() -> Result<TempDir> {
    static TRAINED: OnceLock<Result<TempDir, String>> = OnceLock::new();
    let trained = TRAINED.get_or_init(|| train().map_err(|error| format!("{error:?}")));
    let trained = trained.as_ref().map_err(|error| anyhow!("training failed: {error}"))?;
    let home = tempfile::tempdir()?;
    copy(&trained.path().join("store"), &home.path().join("store"))?;
    Ok(home)
}

/// MovieLens 100K, as `make data` fetched it.
pub fn sample_data() -> PathBuf {
    repository().join(".tributary/data/ml-100k")
}

/// A new home with the bundles that `make up` trained for the data set, if it has; otherwise an
/// empty one, and `up` trains.
pub fn home_with_store(data: &Path) -> Result<TempDir> {
    let home = tempfile::tempdir()?;
    let name = data.file_stem().context("the data set has no name")?;
    let store = repository().join(".tributary").join(name).join("store");
    if store.exists() {
        copy(&store, &home.path().join("store"))?;
    }
    Ok(home)
}

fn train() -> Result<TempDir> {
    let home = tempfile::tempdir()?;
    let configuration = repository().join("tests/fixtures/quick-trainer.toml");
    run(Command::new(binary("trainer")?)
        .args(["run", "--publish", "--data"])
        .arg(sample_data())
        .arg("--store")
        .arg(home.path().join("store"))
        .arg("--config")
        .arg(configuration))?;
    Ok(home)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
