//! Time from end to end, and the gateway's own share of it.

use std::{process::Command, time::Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tonic::transport::Endpoint;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tributary_e2e::{Mesh, load, run};

use crate::report::Report;

const USERS: &str = "900";

/// Adds the rows of one client, of two, and of an open loop.
pub(crate) async fn measure(mesh: &Mesh, report: &mut Report) -> Result<()> {
    let floor = bare_call_ms(mesh).await?;
    let before = OwnTime::read(mesh)?;
    let one = closed(mesh, "1")?;
    let own = OwnTime::read(mesh)?.since(&before);
    add(report, "Recommend, one client", &one, floor, "p50 ≤ 10 ms, p99 ≤ 30 ms")?;
    let p50 = quantile_ms(&one, "p50_ms")?;
    report.add(
        "gateway's own time, one client",
        format!("{} requests", own.count()),
        format!("p50 {:.2} ms, p99 {:.2} ms", own.quantile(0.5) * 1e3, own.quantile(0.99) * 1e3),
        format!("whole request: {:.2} × its p50", own.quantile(0.5) * 1e3 / p50),
        "p50 ≤ 1 ms",
    );
    for (stage, times) in one["stages"].as_object().context("stages")? {
        let median = times["p50_ms"].as_f64().context("p50_ms")?;
        let size = format!("{} requests", times["count"]);
        let tail = times["p99_ms"].as_f64().context("p99_ms")?;
        let measured = format!("p50 {median:.2} ms, p99 {tail:.2} ms");
        report.add(format!("stage {stage}"), size, measured, ratio(median, p50), "");
    }
    let two = closed(mesh, "2")?;
    add(report, "Recommend, two clients", &two, floor, "")?;
    let open = generate(mesh, &["--loop", "open", "--rate", "50", "--concurrency", "64"])?;
    add(report, "Recommend, open loop, 50 a second", &open, floor, "")
}

fn ratio(part: f64, whole: f64) -> String {
    format!("whole request: {:.2} × its p50", part / whole)
}

fn closed(mesh: &Mesh, clients: &str) -> Result<Value> {
    generate(mesh, &["--concurrency", clients])
}

fn generate(mesh: &Mesh, options: &[&str]) -> Result<Value> {
    let mut arguments = vec!["load", "--duration", "10s", "--users", USERS, "--size", "20"];
    arguments.extend(["--explain-every", "5"]);
    arguments.extend(options);
    let answer = load(&mesh.address("gateway"), &arguments)?;
    ensure!(answer["failed"] == serde_json::json!({}), "requests failed: {answer}");
    Ok(answer)
}

fn add(report: &mut Report, what: &str, load: &Value, floor: f64, aim: &'static str) -> Result<()> {
    let (p50, p99) = (quantile_ms(load, "p50_ms")?, quantile_ms(load, "p99_ms")?);
    let rate = load["per_second"].as_f64().context("per_second")?;
    let size = format!("{} requests of 20, 6 channels × 200; {rate:.0} a second", load["requests"]);
    let measured =
        format!("p50 {p50:.2} ms, p99 {p99:.2} ms; {} degraded", load["degraded_answers"]);
    report.add(what, size, measured, format!("health check: {:.1} ×", p50 / floor), aim);
    Ok(())
}

fn quantile_ms(load: &Value, name: &str) -> Result<f64> {
    load["latency"][name].as_f64().with_context(|| format!("no {name} in {load}"))
}

/// Median of a call that does nothing, over the same transport.
async fn bare_call_ms(mesh: &Mesh) -> Result<f64> {
    let channel = Endpoint::from_shared(mesh.address("gateway"))?.connect().await?;
    let mut health = HealthClient::new(channel);
    let mut times = Vec::new();
    for _ in 0..500 {
        let start = Instant::now();
        health.check(HealthCheckRequest { service: String::new() }).await?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// The cumulative buckets of `gateway_own_seconds`.
struct OwnTime(Vec<(f64, f64)>);

impl OwnTime {
    fn read(mesh: &Mesh) -> Result<Self> {
        let text = run(Command::new("python3").args(["-c", FETCH, &mesh.metrics("gateway")]))?;
        let mut buckets = Vec::new();
        for line in text.lines().filter(|line| line.starts_with("gateway_own_seconds_bucket")) {
            let (labels, count) = line.rsplit_once(' ').context("a bucket without a count")?;
            let bound = labels.split('"').nth(1).context("a bucket without a bound")?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse()? };
            buckets.push((bound, count.parse()?));
        }
        Ok(Self(buckets))
    }

    fn since(&self, before: &Self) -> Self {
        let earlier = |index: usize| before.0.get(index).map_or(0.0, |(_, count)| *count);
        let buckets = self.0.iter().enumerate();
        Self(buckets.map(|(index, (bound, count))| (*bound, count - earlier(index))).collect())
    }

    fn count(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }

    /// Linear inside the bucket, as Prometheus computes it. Seconds.
    fn quantile(&self, share: f64) -> f64 {
        let rank = share * self.count();
        let (mut lower, mut below) = (0.0, 0.0);
        for (bound, count) in &self.0 {
            if *count >= rank && *count > below {
                let width = if bound.is_finite() { bound - lower } else { 0.0 };
                return lower + width * (rank - below) / (count - below);
            }
            (lower, below) = (*bound, *count);
        }
        lower
    }
}

const FETCH: &str =
    "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())";
