use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{net::TcpStream, process::Command};

use crate::{Process, TestFolder, free_port, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// Small files: every test has a server of its own.
const SIZES: [&str; 3] = [
    "--innodb-log-file-size=8M",
    "--innodb-data-file-path=ibdata1:4M:autoextend",
    "--innodb-buffer-pool-size=32M",
];

/// Run at every start: an account that may do everything, from anywhere.
const ACCOUNT: &str = "CREATE USER IF NOT EXISTS 'admin'@'%' IDENTIFIED BY 'admin';\n\
                       GRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION;\n";

/// A MariaDB server of the test's own: on a free port, with its data in a temporary folder, with a
/// binlog of rows. Killed when dropped.
pub struct MariaDb {
    process: Process,
    folder: TestFolder,
    port: u16,
    options: Vec<String>,
}

impl MariaDb {
    /// Starts a server with more `options`, such as `--binlog-row-metadata=FULL`.
    pub async fn start(options: &[&str]) -> anyhow::Result<Self> {
        let folder = TestFolder::new("mariadb");
        let template = template().await?;
        let data = folder.join("data");
        copy(&template, &data).context("the empty database cannot be copied")?;
        fs::write(folder.join("init.sql"), ACCOUNT)?;
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let port = free_port();
        let process = spawn(&folder, port, &options)?;
        let mut server = Self { process, folder, port, options };
        server.wait().await?;
        Ok(server)
    }

    /// `mysql://…` for a database, as an account that may do everything.
    pub fn url(&self, database: &str) -> String {
        self.url_of("admin", "admin", database)
    }

    /// `mysql://…` for a database and an account.
    pub fn url_of(&self, user: &str, password: &str, database: &str) -> String {
        format!("mysql://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it as a crash would.
    pub async fn kill_9(&mut self) -> anyhow::Result<()> {
        self.process.kill_9().await
    }

    /// Starts it again, on its port, with its data.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.process = spawn(&self.folder, self.port, &self.options)?;
        self.wait().await
    }

    async fn wait(&mut self) -> anyhow::Result<()> {
        let port = self.port;
        wait_until(async || TcpStream::connect(("127.0.0.1", port)).await.is_ok(), PATIENCE).await;
        ensure!(self.process.pid().is_some(), "mariadbd ended: {}", self.process.log());
        Ok(())
    }
}

fn spawn(folder: &TestFolder, port: u16, options: &[String]) -> anyhow::Result<Process> {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut arguments = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", path("data")),
        format!("--socket={}", path("socket")),
        format!("--pid-file={}", path("pid")),
        format!("--init-file={}", path("init.sql")),
        format!("--port={port}"),
    ];
    let fixed = [
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--server-id=1",
        "--log-bin=bin",
        "--binlog-format=ROW",
        "--sync-binlog=0",
        "--innodb-flush-log-at-trx-commit=2",
        "--user=root",
    ];
    arguments.extend(fixed.iter().chain(&SIZES).map(|argument| (*argument).to_owned()));
    arguments.extend(options.iter().cloned());
    Process::spawn(binary("mariadbd"), arguments, [] as [(&str, &str); 0], folder.join("log"))
}

/// An empty database beside the built tests, made once.
async fn template() -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?;
    let folder = program.parent().context("a program lies in a folder")?;
    let template = folder.join("mariadb-template");
    if template.exists() {
        return Ok(template);
    }
    let draft = folder.join(format!("mariadb-template.{}.{}", std::process::id(), free_port()));
    let made = Command::new(binary("mariadb-install-db"))
        .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
        .arg("--user=root")
        .arg(format!("--datadir={}", draft.display()))
        .args(SIZES)
        .output()
        .await
        .context("mariadb-install-db cannot be started: run scripts/install-servers.sh")?;
    let errors = String::from_utf8_lossy(&made.stderr);
    ensure!(made.status.success(), "mariadb-install-db failed: {errors}");
    // Another test may have been first.
    match fs::rename(&draft, &template) {
        Ok(()) => {}
        Err(_) if template.exists() => fs::remove_dir_all(&draft)?,
        Err(error) => return Err(error.into()),
    }
    Ok(template)
}

/// Servers often lie where only the administrator looks.
fn binary(name: &str) -> PathBuf {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"].map(Path::new);
    let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| PathBuf::from(name))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}
