//! `make bench-store`: `feature` on a private Redis, loaded with users and their behaviour, asked
//! for contexts at a fixed rate. Needs `redis-server`, and the `feature` binary beside this one.
//!
//! Requests start when they are due, whether earlier ones are answered or not, and their time
//! counts from then. The machine may be shared and noisy: read the ratio to the baseline first.

#![allow(clippy::print_stdout, reason = "it prints a report")]

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::{
    process::{Child, Command},
    task::JoinSet,
    time::{interval, sleep},
};
use tonic::transport::{Channel, Endpoint};
use tributary_proto::{
    entity::v1 as entity,
    feature::v1::{
        GetUserContextRequest, RecordEventsRequest, feature_service_client::FeatureServiceClient,
    },
};

const EVENTS_A_CALL: u64 = 1_000;
const CALLS_AT_ONCE: usize = 8;
const ITEMS: u64 = 50_000;
/// 2025-01-01, the time of the first event.
const START_MS: i64 = 1_735_689_600_000;
const BASELINE_CALLS: u64 = 1_000;

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 100_000)]
    users: u64,
    /// Of each user.
    #[arg(long, default_value_t = 200)]
    behaviours: u64,
    /// Requests a second.
    #[arg(long, default_value_t = 500)]
    rate: u32,
    #[arg(long, default_value_t = 20)]
    seconds: u32,
}

type Client = FeatureServiceClient<Channel>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = env::temp_dir().join(format!("bench-store-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let outcome = measure(&arguments, folder.clone()).await;
    fs::remove_dir_all(&folder)?;
    outcome
}

async fn measure(arguments: &Arguments, folder: PathBuf) -> Result<()> {
    let (redis, port) = (free_port()?, free_port()?);
    let _redis = start_redis(redis, &folder)?;
    until_answer(async || command(redis, &["PING"]).await.is_ok_and(|pong| pong == "PONG")).await?;
    let empty = memory(redis).await?;
    let _feature = start_feature(port, redis)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect_lazy();
    let client = FeatureServiceClient::new(channel);
    until_answer(async || ask(client.clone(), 1).await.is_ok()).await?;

    let started = Instant::now();
    load(&client, arguments).await?;
    let (loaded, held) = (started.elapsed(), memory(redis).await? - empty);
    let Arguments { users, behaviours, rate, .. } = arguments;
    println!("| what | size | measured | baseline, same run | aim |\n|---|---|---|---|---|");
    let events = users * behaviours;
    println!(
        "| load | {events} events, {CALLS_AT_ONCE} calls of {EVENTS_A_CALL} at once | {:.0} events/s |  |  |",
        per_second(events, loaded)
    );
    println!(
        "| memory in redis | {users} users × {behaviours} behaviours, logs included | {} B a user, {} MiB | {} B an event |  |",
        held / users,
        held >> 20,
        held / events
    );
    let baseline = closed(&client, arguments).await?;
    let times = open(&client, arguments).await?;
    let (p50, p99) = (quantile(&times, 0.5), quantile(&times, 0.99));
    println!(
        "| GetUserContext | {} requests, {rate} a second, open loop | p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms | cold user, one at a time: {:.1} × its p50 | p99 ≤ 5 ms |",
        times.len(),
        ms(p50),
        ms(p99),
        ms(quantile(&times, 1.0)),
        p50.as_secs_f64() / quantile(&baseline, 0.5).as_secs_f64()
    );
    Ok(())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn start_redis(port: u16, folder: &PathBuf) -> Result<Child> {
    let started = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "everysec", "--dir"])
        .arg(folder)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    started.context("redis-server: `make servers` installs it")
}

fn start_feature(port: u16, redis: u16) -> Result<Child> {
    let binary = env::current_exe()?.with_file_name("feature");
    let started = Command::new(&binary)
        .env("TRIBUTARY__SERVER__LISTEN", format!("127.0.0.1:{port}"))
        .env("TRIBUTARY__SERVER__METRICS", "false")
        .env("TRIBUTARY__STORE__KIND", "redis")
        .env("TRIBUTARY__REDIS__URLS", format!("[\"redis://127.0.0.1:{redis}\"]"))
        .env("TRIBUTARY__REDIS__TIMEOUT", "5s")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    started.with_context(|| binary.display().to_string())
}

async fn command(port: u16, command: &[&str]) -> Result<String> {
    let mut client = Command::new("redis-cli");
    client.args(["-p", &port.to_string()]).args(command).stdin(Stdio::null());
    let output = client.output().await?;
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

async fn memory(port: u16) -> Result<u64> {
    let info = command(port, &["INFO", "memory"]).await?;
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    Ok(used.context("used_memory")?.trim().parse()?)
}

async fn until_answer(ready: impl AsyncFn() -> bool) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    while !ready().await {
        ensure!(Instant::now() < end, "a process does not answer");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn load(client: &Client, arguments: &Arguments) -> Result<()> {
    let events = arguments.users * arguments.behaviours;
    let calls = (0..events.div_ceil(EVENTS_A_CALL)).map(|call| {
        let rows = call * EVENTS_A_CALL..events.min((call + 1) * EVENTS_A_CALL);
        let events = rows.map(|row| event(row, arguments.behaviours)).collect();
        let request = RecordEventsRequest { events, served: Vec::new() };
        let mut client = client.clone();
        async move {
            client.record_events(request).await?;
            anyhow::Ok(())
        }
    });
    stream::iter(calls).buffer_unordered(CALLS_AT_ONCE).try_collect().await
}

/// The events of one user follow each other, a minute apart, on items all over the catalogue.
fn event(row: u64, behaviours: u64) -> entity::Event {
    let (user, step) = (1 + row / behaviours, row % behaviours);
    let item = 1 + row.wrapping_mul(0x9e37_79b9_7f4a_7c15) % ITEMS;
    let action = if step % 10 == 0 { entity::Action::Bookmark } else { entity::Action::Click };
    let minutes = i64::try_from(step).expect("a step is small");
    let time_ms = START_MS + minutes * 60_000;
    entity::Event { user_id: user, item_id: item, action: action.into(), time_ms, dwell_ms: 0 }
}

async fn ask(mut client: Client, user_id: u64) -> Result<usize> {
    let answer = client.get_user_context(GetUserContextRequest { user_id }).await?.into_inner();
    let context = answer.context.context("an answer without a context")?;
    Ok(context.behaviours.map_or(0, |behaviours| behaviours.item_ids.len()))
}

/// Asks for users who are not there, one after the other.
async fn closed(client: &Client, arguments: &Arguments) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for call in 0..BASELINE_CALLS {
        let started = Instant::now();
        ask(client.clone(), arguments.users + 1 + call).await?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

async fn open(client: &Client, arguments: &Arguments) -> Result<Vec<Duration>> {
    let mut due = interval(Duration::from_secs(1) / arguments.rate);
    let mut asked = JoinSet::new();
    let expected = usize::try_from(arguments.behaviours.min(200))?;
    for request in 0..u64::from(arguments.rate * arguments.seconds) {
        let started = due.tick().await;
        let user = 1 + request.wrapping_mul(0x9e37_79b9_7f4a_7c15) % arguments.users;
        let client = client.clone();
        asked.spawn(async move {
            let behaviours = ask(client, user).await?;
            ensure!(behaviours == expected, "user {user} has {behaviours} behaviours");
            Ok(started.elapsed())
        });
    }
    let mut times = Vec::new();
    while let Some(time) = asked.join_next().await {
        times.push(time??);
    }
    times.sort_unstable();
    Ok(times)
}

fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let place = (share * last as f64).round() as usize;
    sorted[place]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[allow(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
