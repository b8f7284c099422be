mod product;

use std::{env, fs, ops::RangeInclusive, path::PathBuf, time::Duration};

use anyhow::{Context, bail, ensure};
use tokio::{
    net::UnixStream,
    time::{Instant, sleep},
};

use crate::{Process, TestFolder, copy_folder, free_port};
pub use product::Product;

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
/// Ports that are tried.
const PORTS: usize = 3;

/// Run at every start: an account that may do everything, from anywhere.
const ACCOUNT: &str = "CREATE USER IF NOT EXISTS 'admin'@'%' IDENTIFIED BY 'admin';\n\
                       GRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION;\n";

/// A MariaDB or MySQL server of the test's own: on a free port, with its data in a temporary
/// folder, with a binlog of rows. Killed when dropped.
pub struct Database {
    product: Product,
    process: Process,
    folder: TestFolder,
    port: u16,
    options: Vec<String>,
}

impl Database {
    /// Starts a server with more `options`, such as `--binlog-row-metadata=FULL`: MariaDB, or the
    /// MySQL whose `mysqld` is named by `TRIBUTARY_MYSQLD` in the environment.
    pub async fn start(options: &[&str]) -> anyhow::Result<Self> {
        let product = Product::chosen();
        let folder = TestFolder::new("database");
        let template = template(&product).await?;
        let data = folder.join("data");
        copy_folder(&template, &data).context("the empty database cannot be copied")?;
        fs::write(folder.join("init.sql"), ACCOUNT)?;
        fs::create_dir(folder.join("tmp"))?;
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let port = free_port();
        let process = spawn(&product, &folder, port, &options)?;
        let mut server = Self { product, process, folder, port, options };
        for _ in 0..PORTS {
            if server.listens().await? {
                return Ok(server);
            }
            server.port = free_port();
            server.process = spawn(&server.product, &server.folder, server.port, &server.options)?;
        }
        bail!("the server ended: {}", server.process.log())
    }

    pub fn product(&self) -> &Product {
        &self.product
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
        self.process = spawn(&self.product, &self.folder, self.port, &self.options)?;
        let listens = self.listens().await?;
        ensure!(listens, "the server ended: {}", self.process.log());
        Ok(())
    }

    /// Waits until it listens; false where it has ended, for example because somebody else has
    /// taken the port meanwhile. The port alone does not tell: it is the socket, made after it, that
    /// is this server's for certain.
    async fn listens(&mut self) -> anyhow::Result<bool> {
        let socket = self.folder.join("socket");
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if UnixStream::connect(&socket).await.is_ok() {
                return Ok(true);
            }
            if self.process.has_ended()? {
                return Ok(false);
            }
            sleep(PAUSE).await;
        }
        bail!("the server does not listen after {PATIENCE:?}: {}", self.process.log())
    }
}

fn spawn(
    product: &Product,
    folder: &TestFolder,
    port: u16,
    options: &[String],
) -> anyhow::Result<Process> {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut arguments = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", path("data")),
        format!("--socket={}", path("socket")),
        format!("--pid-file={}", path("pid")),
        format!("--init-file={}", path("init.sql")),
        // A server that starts removes the temporary tables that it finds there.
        format!("--tmpdir={}", path("tmp")),
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
    let more = fixed.iter().chain(product.sizes()).chain(product.habits());
    arguments.extend(more.map(|argument| (*argument).to_owned()));
    arguments.extend(options.iter().cloned());
    Process::spawn(product.server(), arguments, [] as [(&str, &str); 0], folder.join("log"))
}

/// An empty database beside the built tests, made once.
async fn template(product: &Product) -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?;
    let folder = program.parent().context("a program lies in a folder")?;
    let name = format!("{}-template", product.name());
    let template = folder.join(&name);
    if template.exists() {
        return Ok(template);
    }
    let draft = folder.join(format!("{name}.{}.{}", std::process::id(), free_port()));
    product.initialise(&draft).await?;
    // Another test may have been first.
    match fs::rename(&draft, &template) {
        Ok(()) => {}
        Err(_) if template.exists() => fs::remove_dir_all(&draft)?,
        Err(error) => return Err(error.into()),
    }
    Ok(template)
}

/// A statement that inserts a row for each number, in the words of both products.
pub fn insert_statement(
    into: &str,
    numbers: RangeInclusive<u64>,
    row: impl Fn(u64) -> String,
) -> String {
    let rows: Vec<String> = numbers.map(|number| format!("({})", row(number))).collect();
    format!("INSERT INTO {into} VALUES {}", rows.join(", "))
}
