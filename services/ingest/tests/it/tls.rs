//! Encrypted connections, with an authority of the test's own.

use std::{fs, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tributary_ingest::{Config, TlsConfig, TlsMode};
use tributary_testkit::{Product, TestFolder};

use crate::harness::{Running, SCHEMA, World};

/// Files of an authority, and of what it vouches for.
struct Authority {
    folder: TestFolder,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = TestFolder::new("authority");
        fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate for that name, and its key.
    fn certify(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        // Not that of the authority, or it would seem to vouch for itself.
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = |kind: &str| self.folder.join(&format!("{name}.{kind}.pem"));
        fs::write(path("certificate"), certificate.pem()).unwrap();
        fs::write(path("key"), key.serialize_pem()).unwrap();
        (path("certificate"), path("key"))
    }

    /// A server whose certificate is for that name, and which talks to nobody without encryption.
    async fn server(&self, name: &str) -> World {
        let (certificate, key) = self.certify(name);
        let options = [("ca", self.ca()), ("cert", certificate), ("key", key)]
            .map(|(option, path)| format!("--ssl-{option}={}", path.display()));
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let mut world = World::with_options(SCHEMA, &options).await;
        world.run("INSERT INTO illust (illust_id, artist_id) VALUES (1, 1)").await;
        world.run("SET GLOBAL require_secure_transport = ON").await;
        world
    }
}

fn with(world: &World, tls: TlsConfig) -> Config {
    let mut config = world.config();
    config.source.tls = tls;
    config
}

fn verify(ca: PathBuf, server_name: &str) -> TlsConfig {
    let mode = TlsMode::VerifyIdentity;
    TlsConfig { mode, ca, server_name: server_name.to_owned(), ..TlsConfig::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mode_accepts_what_it_says() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (name, right, wrong) in [("127.0.0.1", "", "elsewhere"), ("elsewhere", "elsewhere", "")] {
        let mut world = authority.server(name).await;
        let required = TlsConfig { mode: TlsMode::Required, ..TlsConfig::default() };
        for tls in [required, verify(authority.ca(), right)] {
            let ingest = Running::start(with(&world, tls)).await;
            ingest.ready().await;
            world.run("UPDATE illust SET total_view = total_view + 1").await;
            world.converged().await;
            ingest.stop().await;
        }
        for (tls, part) in [
            (TlsConfig::default(), "source.tls"),
            (verify(stranger.ca(), right), "see source.tls: "),
            (verify(PathBuf::new(), right), "see source.tls: "),
            (verify(authority.ca(), wrong), "see source.tls: "),
            (verify("/nowhere.pem".into(), right), "file /nowhere.pem of source.tls"),
        ] {
            let failure = Running::start(with(&world, tls.clone())).await.failure().await;
            assert!(failure.contains(part), "{tls:?}: {failure}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_asks_for_a_certificate_gets_one() {
    let authority = Authority::new();
    let mut world = authority.server("127.0.0.1").await;
    world
        .run(
            "CREATE USER tributary@'%' IDENTIFIED BY 'secret' REQUIRE X509;
            GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO tributary@'%'",
        )
        .await;
    let mut config = with(&world, verify(authority.ca(), ""));
    config.source.url = world.db.url_of("tributary", "secret", "shop");
    let failure = Running::start(config.clone()).await.failure().await;
    assert!(failure.contains("lacks a right"), "{failure}");
    (config.source.tls.certificate, config.source.tls.key) = authority.certify("client");
    let ingest = Running::start(config).await;
    ingest.ready().await;
    world.converged().await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_encryption_is_told() {
    let off = if Product::chosen().is_mariadb() { "--skip-ssl" } else { "--tls-version=" };
    let world = World::with_options(SCHEMA, &[off]).await;
    let required = TlsConfig { mode: TlsMode::Required, ..TlsConfig::default() };
    let config = with(&world, required);
    let failure = Running::start(config).await.failure().await;
    assert!(failure.contains("see source.tls"), "{failure}");
}
