use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// The root of the checkout.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A binary of the workspace, built beside this test.
pub fn binary(name: &str) -> Result<PathBuf> {
    let program = env::current_exe()?;
    // A test lies in target/<profile>/deps, a binary in target/<profile>.
    let folders = program.ancestors().skip(1).take(2);
    let mut candidates = folders.map(|folder| folder.join(name));
    candidates.find(|path| path.is_file()).with_context(|| {
        format!(
            "{name} is not built: run `cargo build --workspace --all-targets` (`make test` does)"
        )
    })
}

/// Runs a command and returns its standard output; an exit code but 0 is an error with its output.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.current_dir(repository()).output();
    let output = output.with_context(|| format!("cannot start {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}\n{text}\n{errors}", output.status);
    }
    Ok(text)
}

/// Runs a command that prints one JSON value.
pub fn run_json(command: &mut Command) -> Result<serde_json::Value> {
    let text = run(command)?;
    serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
}
