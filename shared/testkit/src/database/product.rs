use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::TestFolder;

/// Which server, and how this one is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Product {
    MariaDb,
    /// With its `mysqld`.
    MySql(PathBuf),
}

impl Product {
    /// MySQL where `TRIBUTARY_MYSQLD` names its `mysqld`.
    pub fn chosen() -> Self {
        env::var_os("TRIBUTARY_MYSQLD").map_or(Self::MariaDb, |path| Self::MySql(path.into()))
    }

    pub fn is_mariadb(&self) -> bool {
        *self == Self::MariaDb
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb",
            Self::MySql(_) => "mysql",
        }
    }

    pub(super) fn server(&self) -> PathBuf {
        match self {
            Self::MariaDb => binary("mariadbd"),
            Self::MySql(path) => path.clone(),
        }
    }

    /// Small files: every test has a server of its own.
    pub(super) fn sizes(&self) -> &'static [&'static str] {
        match self {
            Self::MariaDb => &[
                "--innodb-log-file-size=8M",
                "--innodb-data-file-path=ibdata1:4M:autoextend",
                "--innodb-buffer-pool-size=32M",
            ],
            Self::MySql(_) => &[
                "--innodb-redo-log-capacity=16M",
                "--innodb-data-file-path=ibdata1:5M:autoextend",
                "--innodb-autoextend-increment=1",
                "--innodb-buffer-pool-size=32M",
                "--innodb-doublewrite=OFF",
                "--innodb-flush-method=nosync",
                "--performance-schema=OFF",
            ],
        }
    }

    /// Options of a server that runs.
    pub(super) fn habits(&self) -> &'static [&'static str] {
        match self {
            Self::MariaDb => &[],
            Self::MySql(_) => &["--mysqlx=OFF", "--innodb-use-native-aio=OFF"],
        }
    }

    /// Makes an empty database in a folder that is not there yet.
    pub(super) async fn initialise(&self, data: &Path) -> anyhow::Result<()> {
        let program = match self {
            Self::MariaDb => binary("mariadb-install-db"),
            Self::MySql(path) => path.clone(),
        };
        let how = match self {
            Self::MariaDb => &["--auth-root-authentication-method=normal", "--skip-test-db"],
            Self::MySql(_) => &["--initialize-insecure", "--skip-log-bin"],
        };
        let temporary = TestFolder::new("database-template");
        let made = Command::new(&program)
            .env("TMPDIR", temporary.path())
            .args(["--no-defaults", "--user=root"])
            .args(how)
            .arg(format!("--datadir={}", data.display()))
            .args(self.sizes())
            .output()
            .await
            .with_context(|| format!("cannot start {}: {}", program.display(), self.advice()))?;
        let errors = String::from_utf8_lossy(&made.stderr);
        ensure!(made.status.success(), "{} failed: {errors}", program.display());
        // Otherwise all copies would be one server to those who follow it.
        match fs::remove_file(data.join("auto.cnf")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::MariaDb => "run scripts/install-servers.sh",
            Self::MySql(_) => "run scripts/fetch-mysql.sh .tools/mysql",
        }
    }
}

/// Servers often lie where only the administrator looks.
fn binary(name: &str) -> PathBuf {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"].map(Path::new);
    let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| PathBuf::from(name))
}
