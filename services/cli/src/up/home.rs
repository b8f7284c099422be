use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rand::RngCore;

use crate::{CliError, arguments::UpOptions};

/// The folder of one data set's mesh: bundles, the store, configuration, logs.
#[derive(Debug, Clone)]
pub(super) struct Home {
    root: PathBuf,
}

impl Home {
    /// Creates the folders. Refuses a data set that is not there.
    pub(super) fn create(options: &UpOptions) -> Result<Self, CliError> {
        if !options.data.exists() {
            return Err(CliError::Missing {
                path: options.data.clone(),
                advice: "give a data set with --data, or run `make data` for MovieLens 100K",
            });
        }
        let root = options.home.clone().unwrap_or_else(|| default_root(&options.data));
        let home = Self { root };
        for folder in [home.store(), home.feature(), home.configuration(), home.logs(), home.data()]
        {
            fs::create_dir_all(&folder).map_err(CliError::file(folder))?;
        }
        Ok(home)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    pub(super) fn feature(&self) -> PathBuf {
        self.root.join("feature")
    }

    pub(super) fn configuration(&self) -> PathBuf {
        self.root.join("config")
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(super) fn socket(&self) -> PathBuf {
        socket(&self.root)
    }

    pub(super) fn log(&self, service: &str) -> PathBuf {
        self.logs().join(format!("{service}.log"))
    }

    /// The key that page tokens are signed with, made once, so that tokens outlive a restart.
    pub(super) fn page_token_secret(&self) -> Result<String, CliError> {
        let path = self.root.join("page_token.key");
        match fs::read_to_string(&path) {
            Ok(secret) => Ok(secret),
            Err(error) if error.kind() == io::ErrorKind::NotFound => create_secret(&path),
            Err(error) => Err(CliError::file(path)(error)),
        }
    }
}

/// Where the control socket of a home lies.
pub(super) fn socket(root: &Path) -> PathBuf {
    root.join("control.sock")
}

fn create_secret(path: &Path) -> Result<String, CliError> {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(path, &secret).map_err(CliError::file(path))?;
    Ok(secret)
}

fn default_root(data: &Path) -> PathBuf {
    let name = data.file_stem().map_or_else(|| "data".into(), |name| name.to_string_lossy());
    Path::new(".tributary").join(name.as_ref())
}
