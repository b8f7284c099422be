use super::{PATIENCE, RedisServer, command_at, write_settings};
use crate::{Process, TestFolder, free_ports, wait_until};

const SENTINELS: usize = 3;
const MASTER: &str = "mymaster";

/// A master with a replica, watched by three Sentinels. A dead master is replaced after about two
/// seconds.
pub struct RedisSentinel {
    master: RedisServer,
    _replica: RedisServer,
    ports: Vec<u16>,
    _sentinels: Vec<Process>,
    _folder: TestFolder,
}

impl RedisSentinel {
    pub async fn start() -> Self {
        let ports = free_ports(2 + SENTINELS);
        let settings = ["--appendonly", "no", "--repl-diskless-sync-delay", "0"];
        let master = RedisServer::with(ports[0], &settings).await;
        let port = ports[0].to_string();
        let settings = [&settings[..], &["--replicaof", "127.0.0.1", &port]].concat();
        let replica = RedisServer::with(ports[1], &settings).await;
        let linked = async || master.command(&["INFO", "replication"]).await;
        wait_until(async || linked().await.contains("state=online"), PATIENCE).await;
        let folder = TestFolder::new("sentinel");
        let ports = ports[2..].to_vec();
        let sentinels = ports.iter().map(|own| watch(&folder, *own, &port)).collect();
        let sentinels =
            Self { master, _replica: replica, ports, _sentinels: sentinels, _folder: folder };
        sentinels.wait_until_known().await;
        sentinels
    }

    async fn wait_until_known(&self) {
        for port in &self.ports {
            let knows = async || {
                let master = command_at(*port, &["SENTINEL", "MASTER", MASTER]).await;
                let lines: Vec<&str> = master.lines().collect();
                let value = |name| lines.iter().skip_while(|line| **line != name).nth(1).copied();
                value("num-slaves") == Some("1") && value("num-other-sentinels") == Some("2")
            };
            wait_until(knows, PATIENCE).await;
        }
    }

    /// `redis://host:port` of every Sentinel.
    pub fn urls(&self) -> Vec<String> {
        self.ports.iter().map(|port| format!("redis://127.0.0.1:{port}")).collect()
    }

    /// The server that was the master at the start.
    pub fn master(&mut self) -> &mut RedisServer {
        &mut self.master
    }
}

fn watch(folder: &TestFolder, port: u16, master: &str) -> Process {
    let settings = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\n\
         sentinel monitor {MASTER} 127.0.0.1 {master} 2\n\
         sentinel down-after-milliseconds {MASTER} 500\n\
         sentinel failover-timeout {MASTER} 3000\n",
        folder.path().display()
    );
    let path = write_settings(folder, &format!("{port}.conf"), &settings);
    let path = path.display().to_string();
    let nothing = [] as [(&str, &str); 0];
    let log = folder.join(&format!("{port}.log"));
    let started = Process::spawn("redis-server", [path.as_str(), "--sentinel"], nothing, log);
    started.expect("redis-server starts: scripts/install-servers.sh installs it")
}
