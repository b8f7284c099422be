//! Private servers of Redis, started from the `redis-server` on the `PATH`.

mod cluster;
mod sentinel;

use std::{net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};

use tokio::process::Command;

use crate::{Process, TestFolder, free_port, wait_until};
pub use cluster::RedisCluster;
pub use sentinel::RedisSentinel;

const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a free port, with its data in a temporary folder. Killed when dropped.
pub struct RedisServer {
    folder: TestFolder,
    port: u16,
    settings: Vec<String>,
    process: Option<Process>,
}

impl RedisServer {
    /// A server that keeps nothing on disk.
    pub async fn start() -> Self {
        Self::with(free_port(), &["--appendonly", "no"]).await
    }

    /// A server that answers a write when it is on disk.
    pub async fn durable() -> Self {
        Self::with(free_port(), &["--appendonly", "yes", "--appendfsync", "always"]).await
    }

    async fn with(port: u16, settings: &[&str]) -> Self {
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let folder = TestFolder::new("redis");
        let mut server = Self { folder, port, settings, process: None };
        server.restart().await;
        server
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// `redis://host:port`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Ends it as a crash would, and waits for the end.
    pub async fn kill_9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill_9().await.expect("the server can be killed");
        }
    }

    /// Stops answering, without an end, until `proceed`.
    pub async fn freeze(&self) {
        self.process().signal("STOP").await.expect("the server runs");
    }

    pub async fn proceed(&self) {
        self.process().signal("CONT").await.expect("the server runs");
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("the server runs")
    }

    /// Starts it on the same port and data, where it has ended, and waits until it answers.
    pub async fn restart(&mut self) {
        if self.process.is_none() {
            let port = self.port.to_string();
            let folder = self.folder.path().display().to_string();
            let common = ["--port", &port, "--bind", "127.0.0.1", "--dir", &folder, "--save", ""];
            let arguments = common.into_iter().chain(self.settings.iter().map(String::as_str));
            let log = self.folder.join("redis.log");
            let nothing = [] as [(&str, &str); 0];
            let process = Process::spawn("redis-server", arguments, nothing, log);
            self.process =
                Some(process.expect("redis-server starts: scripts/install-servers.sh installs it"));
        }
        wait_until(async || self.command(&["PING"]).await == "PONG", PATIENCE).await;
    }

    /// What `redis-cli` answers to a command, without the last line's end; an error of the server
    /// is an answer too.
    pub async fn command(&self, command: &[&str]) -> String {
        command_at(self.port, command).await
    }

    /// Forgets everything.
    pub async fn clear(&self) {
        assert_eq!(self.command(&["FLUSHALL"]).await, "OK");
    }

    /// Every key with all that it holds, as text.
    pub async fn dump(&self) -> String {
        dump_at(self.port).await
    }
}

async fn command_at(port: u16, command: &[&str]) -> String {
    let mut client = Command::new("redis-cli");
    client.args(["-h", "127.0.0.1", "-p", &port.to_string()]).args(command);
    let output = client.stdin(Stdio::null()).output().await.expect("redis-cli runs");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

async fn dump_at(port: u16) -> String {
    let keys = command_at(port, &["--scan"]).await;
    let mut all = String::new();
    for key in keys.lines().filter(|key| !key.is_empty()) {
        let kind = command_at(port, &["TYPE", key]).await;
        let read: &[&str] = match kind.as_str() {
            "string" => &["GET", key],
            "hash" => &["HGETALL", key],
            "list" => &["LRANGE", key, "0", "-1"],
            "zset" => &["ZRANGE", key, "0", "-1", "WITHSCORES"],
            other => panic!("{key} is a {other}"),
        };
        let content = command_at(port, &[&["--no-raw"], read].concat()).await;
        all.push_str(&format!("{key}\n{content}\n"));
    }
    all
}

/// The path of a configuration file written into the folder.
fn write_settings(folder: &TestFolder, name: &str, settings: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, settings).expect("the folder can be written to");
    path
}
