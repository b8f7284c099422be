//! The processes of the mesh, and their ports.

use std::{collections::BTreeMap, net::TcpListener, time::Duration};

use crate::{CliError, arguments::MeshAddresses};

/// One process.
#[derive(Debug)]
pub(super) struct Service {
    /// The binary's name.
    pub name: &'static str,
    /// Its port where the gateway has 7000; metrics are 1,000 above.
    pub port: u16,
    /// The gRPC service whose health says that it does its work.
    pub health: &'static str,
    /// The configuration that it starts from.
    pub configuration: &'static str,
}

macro_rules! service {
    ($name:literal, $port:literal, $health:literal) => {
        Service {
            name: $name,
            port: $port,
            health: $health,
            configuration: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../deploy/config/",
                $name,
                ".toml"
            )),
        }
    };
}

/// In the order they are started.
pub(super) const SERVICES: [Service; 10] = [
    service!("feature", 7001, "tributary.feature.v1.FeatureService"),
    service!("recall-two-tower", 7011, "tributary.recall.v1.RecallService"),
    service!("recall-multi-interest", 7015, "tributary.recall.v1.RecallService"),
    service!("recall-graph", 7016, "tributary.recall.v1.RecallService"),
    service!("recall-collaborative", 7012, "tributary.recall.v1.RecallService"),
    service!("recall-search", 7013, "tributary.recall.v1.RecallService"),
    service!("recall-trending", 7014, "tributary.recall.v1.RecallService"),
    service!("ranking", 7021, "tributary.ranking.v1.RankingService"),
    service!("rerank", 7022, "tributary.rerank.v1.RerankService"),
    service!("gateway", 7000, "tributary.gateway.v1.GatewayService"),
];

/// Started where a database is to be followed. Its health is that of the process.
pub(super) const INGEST: Service = service!("ingest", 7031, "");

const GATEWAY: u16 = 7000;
const METRICS: u16 = 1000;

/// From the port in the configuration files to the port in use.
#[derive(Debug, Clone)]
pub(super) struct Ports(BTreeMap<u16, u16>);

impl Ports {
    /// The gateway on `gateway`, the others at their distance; 0 takes free ports.
    pub(super) fn choose(gateway: u16) -> Result<Self, CliError> {
        let mut held = Vec::new();
        let mut ports = BTreeMap::new();
        for service in SERVICES.iter().chain([&INGEST]) {
            for standard in [service.port, service.port + METRICS] {
                let wanted = if gateway == 0 { 0 } else { gateway + (standard - GATEWAY) };
                let listener = TcpListener::bind(("127.0.0.1", wanted)).map_err(|source| {
                    CliError::PortTaken { name: service.name.into(), port: wanted, source }
                })?;
                let bound = listener.local_addr().map_err(CliError::file("a listener"))?;
                ports.insert(standard, bound.port());
                held.push(listener);
            }
        }
        Ok(Self(ports))
    }

    pub(super) fn of(&self, service: &Service) -> u16 {
        self.0[&service.port]
    }

    /// The standard port and the one in use, for every listener of the mesh.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (u16, u16)> {
        self.0.iter().map(|(standard, port)| (*standard, *port))
    }

    pub(super) fn metrics_of(&self, service: &Service) -> u16 {
        self.0[&(service.port + METRICS)]
    }

    /// Where a client finds the mesh.
    pub(super) fn addresses(&self) -> MeshAddresses {
        let address = |name: &str| {
            let service = SERVICES.iter().find(|service| service.name == name);
            let service = service.expect("the names are those of the table above");
            format!("http://127.0.0.1:{}", self.of(service))
        };
        MeshAddresses {
            gateway: address("gateway"),
            feature: address("feature"),
            search: address("recall-search"),
            timeout: Duration::from_secs(10),
        }
    }
}
