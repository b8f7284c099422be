//! The example `idle` as a process of its own: arguments, environment, signals, exit codes.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use futures::stream;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tributary_testkit::{Process, TestFolder, channel, free_port, wait_until, wait_until_serving};

const PATIENCE: Duration = Duration::from_secs(30);

/// Cargo builds the examples next to the tests.
fn idle() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(|deps| deps.parent()).unwrap().join("examples/idle")
}

async fn run_to_end(
    folder: &TestFolder,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (i32, String) {
    let environment = environment.iter().copied();
    let mut process = Process::spawn(idle(), arguments, environment, folder.join("log")).unwrap();
    let status = process.wait(PATIENCE).await.unwrap();
    (status.code().unwrap(), process.log())
}

#[tokio::test]
async fn a_bad_configuration_exits_with_64_and_names_the_key() {
    let folder = TestFolder::new("bad-configuration");
    let file = folder.join("idle.toml");
    fs::write(&file, "[server]\ndrain = \"soon\"\n").unwrap();
    let file = file.to_str().unwrap();
    let (code, log) = run_to_end(&folder, &["--config", file, "--check"], &[]).await;
    assert_eq!(code, 64, "{log}");
    assert!(log.contains("server.drain") && log.contains(file), "{log}");

    let variable = ("TRIBUTARY__SERVER__DRAIN", "2s");
    let (code, log) = run_to_end(&folder, &["--config", file, "--check"], &[variable]).await;
    assert_eq!(code, 0, "{log}");
}

#[tokio::test]
async fn wrong_arguments_and_missing_files_exit_with_64() {
    let folder = TestFolder::new("wrong-arguments");
    for arguments in [&["--nonsense"][..], &["--config", "/nowhere/idle.toml"]] {
        let (code, log) = run_to_end(&folder, arguments, &[]).await;
        assert_eq!(code, 64, "{arguments:?}: {log}");
        assert!(log.contains(arguments[arguments.len() - 1]), "{log}");
    }
}

#[tokio::test]
async fn a_taken_address_exits_with_1_and_names_it() {
    let folder = TestFolder::new("taken-address");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let variables = [("TRIBUTARY__SERVER__LISTEN", address.as_str())];
    let (code, log) = run_to_end(&folder, &[], &variables).await;
    assert_eq!(code, 1, "{log}");
    assert!(log.contains(&address) && log.contains("server.listen"), "{log}");
}

#[tokio::test]
async fn serves_until_it_is_told_to_stop_and_exits_with_0() {
    let folder = TestFolder::new("stop");
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let listen = address.to_string();
    let variables = [
        ("TRIBUTARY__SERVER__LISTEN", listen.as_str()),
        // Nobody listens there: the traces must not hold up the end.
        ("TRIBUTARY__TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:9"),
        ("TRIBUTARY__TELEMETRY__FORMAT", "json"),
    ];
    let no_arguments: [&str; 0] = [];
    let mut process = Process::spawn(idle(), no_arguments, variables, folder.join("log")).unwrap();
    wait_until_serving(address, "", PATIENCE).await;
    let status = process.stop(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", process.log());
    let log = process.log();
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
    assert!(log.contains(env!("CARGO_PKG_VERSION")), "{log}");
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let folder = TestFolder::new("second-signal");
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let listen = address.to_string();
    let variables =
        [("TRIBUTARY__SERVER__LISTEN", listen.as_str()), ("TRIBUTARY__SERVER__DRAIN", "1h")];
    let no_arguments: [&str; 0] = [];
    let mut process = Process::spawn(idle(), no_arguments, variables, folder.join("log")).unwrap();
    wait_until_serving(address, "", PATIENCE).await;
    // A call that never ends holds up the drain.
    let mut reflection = ServerReflectionClient::new(channel(address));
    let call = reflection.server_reflection_info(stream::pending()).await.unwrap();
    process.signal("TERM").await.unwrap();
    wait_until(async || process.log().contains("draining"), PATIENCE).await;
    process.signal("INT").await.unwrap();
    let status = process.wait(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(130), "{}", process.log());
    drop(call);
}
