use std::{
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
