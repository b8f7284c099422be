use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use tempfile::TempDir;

/// A temporary folder that stays, and is named on standard error, where the test fails.
pub struct TestFolder {
    folder: Option<TempDir>,
}

impl TestFolder {
    /// An empty folder whose name begins with `test`.
    pub fn new(test: &str) -> Self {
        let folder = TempDir::with_prefix(format!("tributary-{test}-"));
        Self { folder: Some(folder.expect("a temporary folder")) }
    }

    pub fn path(&self) -> &Path {
        self.folder.as_ref().expect("held until dropped").path()
    }

    /// The path of `name` in the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("the test's files are kept in {}", folder.keep().display());
        }
    }
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}
