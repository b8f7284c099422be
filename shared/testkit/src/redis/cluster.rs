use super::{PATIENCE, RedisServer};
use crate::{free_ports, wait_until};

const MASTERS: usize = 3;
const SLOTS: usize = 16_384;

/// A Cluster of three masters, each with a replica. A dead master is replaced after about two
/// seconds.
pub struct RedisCluster {
    /// The masters at the start, then a replica of each.
    servers: Vec<RedisServer>,
}

impl RedisCluster {
    /// A Cluster that answers a write when it is on the master's disk.
    pub async fn start() -> Self {
        let ports = free_ports(4 * MASTERS);
        let (ports, buses) = ports.split_at(2 * MASTERS);
        let mut servers = Vec::new();
        for (port, bus) in ports.iter().zip(buses) {
            let bus = bus.to_string();
            let settings = [
                ["--cluster-enabled", "yes"],
                ["--cluster-port", &bus],
                ["--cluster-node-timeout", "1000"],
                ["--repl-ping-replica-period", "1"],
                ["--appendonly", "yes"],
                ["--appendfsync", "everysec"],
            ];
            servers.push(RedisServer::with(*port, settings.as_flattened()).await);
        }
        let cluster = Self { servers };
        cluster.join(buses).await;
        cluster
    }

    async fn join(&self, buses: &[u16]) {
        let first = &self.servers[0];
        for (index, server) in self.servers.iter().enumerate() {
            let epoch = (index + 1).to_string();
            let set = server.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await;
            assert_eq!(set, "OK");
            let (port, bus) = (server.port.to_string(), buses[index].to_string());
            let met = first.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await;
            assert_eq!(met, "OK");
        }
        for (index, server) in self.servers[..MASTERS].iter().enumerate() {
            let from = (index * SLOTS / MASTERS).to_string();
            let to = ((index + 1) * SLOTS / MASTERS - 1).to_string();
            let added = server.command(&["CLUSTER", "ADDSLOTSRANGE", &from, &to]).await;
            assert_eq!(added, "OK");
        }
        for (index, replica) in self.servers[MASTERS..].iter().enumerate() {
            let master = self.servers[index].command(&["CLUSTER", "MYID"]).await;
            let replicate = async || replica.command(&["CLUSTER", "REPLICATE", &master]).await;
            wait_until(async || replicate().await == "OK", PATIENCE).await;
        }
        self.wait_until_whole().await;
    }

    /// Waits until all slots are served, and every running server agrees.
    pub async fn wait_until_whole(&self) {
        for server in self.servers.iter().filter(|server| server.process.is_some()) {
            let is_whole = async || {
                let info = server.command(&["CLUSTER", "INFO"]).await;
                let nodes = server.command(&["CLUSTER", "NODES"]).await;
                let replicas = nodes.lines().filter(|line| line.contains("slave")).count();
                let replication = server.command(&["INFO", "replication"]).await;
                !replication.contains("master_link_status:down")
                    && info.contains("cluster_state:ok")
                    && info.contains("cluster_known_nodes:6")
                    && info.contains("cluster_slots_ok:16384")
                    && replicas >= MASTERS - 1
            };
            wait_until(is_whole, PATIENCE).await;
        }
    }

    /// `redis://host:port` of every server.
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(RedisServer::url).collect()
    }

    /// The server that was the n-th master, or the n-th replica of them, at the start.
    pub fn master(&mut self, index: usize) -> &mut RedisServer {
        &mut self.servers[index]
    }

    /// The master of a key's slot at the start, as an index.
    pub async fn master_of(&self, key: &str) -> usize {
        let slot = self.servers[0].command(&["CLUSTER", "KEYSLOT", key]).await;
        let slot: usize = slot.parse().expect("a slot is a number");
        (0..MASTERS).find(|index| slot < (index + 1) * SLOTS / MASTERS).expect("all are served")
    }

    /// Forgets everything.
    pub async fn clear(&self) {
        for server in &self.servers {
            if server.command(&["ROLE"]).await.starts_with("master") {
                server.clear().await;
            }
        }
    }

    /// Every key of every server with all that it holds, as text.
    pub async fn dump(&self) -> String {
        let mut all = String::new();
        for server in &self.servers {
            if server.command(&["ROLE"]).await.starts_with("master") {
                all.push_str(&server.dump().await);
            }
        }
        all
    }
}
