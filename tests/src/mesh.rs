use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tonic::transport::Channel;
use tributary_proto::{
    feature::v1::feature_service_client::FeatureServiceClient,
    gateway::v1::{
        Overrides, RecommendRequest, RecommendResponse,
        gateway_service_client::GatewayServiceClient,
    },
    recall::v1::search_service_client::SearchServiceClient,
};

use crate::{
    bundle::{sample_data, trained_home},
    command::{binary, repository, run_json},
};

/// A running mesh, started with `tributary up`.
pub struct Mesh {
    up: Child,
    output: BufReader<ChildStdout>,
    home: TempDir,
    processes: BTreeMap<String, Process>,
    /// The first list that `up` printed.
    pub first_list: Value,
}

/// One process of a mesh.
#[derive(Debug, Clone)]
pub struct Process {
    pub address: String,
    pub metrics: String,
    pub pid: u32,
    pub state: String,
}

impl Mesh {
    /// Starts all processes on free ports, with MovieLens 100K loaded, and waits for the first list.
    pub fn start() -> Result<Self> {
        Self::start_in(trained_home()?, &sample_data())
    }

    /// The same over a home that is there already, with another data set.
    pub fn start_in(home: TempDir, data: &Path) -> Result<Self> {
        Self::start_with(home, data, &[])
    }

    /// The same with more arguments for `tributary up`.
    pub fn start_with(home: TempDir, data: &Path, more: &[&str]) -> Result<Self> {
        let mut up = Command::new(binary("tributary")?)
            .args(["up", "--json", "--port", "0", "--patience", "120s", "--home"])
            .arg(home.path())
            .arg("--data")
            .arg(data)
            .args(more)
            .current_dir(repository())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = up.stdout.take().context("standard output is piped")?;
        let output = BufReader::new(stdout);
        // Whole before anything can fail: it is its end that stops the processes.
        let mut mesh =
            Self { up, output, home, processes: BTreeMap::new(), first_list: Value::Null };
        mesh.processes = processes(&json_line(&mut mesh.output)?)?;
        mesh.first_list = json_line(&mut mesh.output)?;
        Ok(mesh)
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// For example `http://127.0.0.1:40123`.
    pub fn address(&self, process: &str) -> String {
        format!("http://{}", self.processes[process].address)
    }

    /// Where Prometheus would scrape the process.
    pub fn metrics(&self, process: &str) -> String {
        self.processes[process].metrics.clone()
    }

    /// Names of all processes.
    pub fn names(&self) -> Vec<String> {
        self.processes.keys().cloned().collect()
    }

    pub async fn gateway(&self) -> Result<GatewayServiceClient<Channel>> {
        Ok(GatewayServiceClient::connect(self.address("gateway")).await?)
    }

    pub async fn feature(&self) -> Result<FeatureServiceClient<Channel>> {
        Ok(FeatureServiceClient::connect(self.address("feature")).await?)
    }

    pub async fn search(&self) -> Result<SearchServiceClient<Channel>> {
        Ok(SearchServiceClient::connect(self.address("recall-search")).await?)
    }

    /// Waits until `ingest` has read the database and follows it.
    pub async fn await_ingest(&self) -> Result<()> {
        let address = self.address("ingest").trim_start_matches("http://").parse()?;
        tributary_testkit::wait_until_serving(address, "", Duration::from_secs(300)).await;
        Ok(())
    }

    /// A list that records no impressions.
    pub async fn recommend(&self, user_id: u64, size: u32) -> Result<RecommendResponse> {
        let overrides = Overrides { skip_impressions: true, ..Overrides::default() };
        let request = RecommendRequest {
            user_id,
            size,
            overrides: Some(overrides),
            ..RecommendRequest::default()
        };
        Ok(self.gateway().await?.recommend(request).await?.into_inner())
    }

    /// A call of the command line against this mesh, printing JSON.
    pub fn tributary(&self, arguments: &[&str]) -> Result<Value> {
        run_json(
            Command::new(binary("tributary")?)
                .args(["--json", "--gateway", &self.address("gateway")])
                .args(["--feature", &self.address("feature")])
                .args(["--search", &self.address("recall-search")])
                .args(arguments),
        )
    }

    /// Kills a process as the kernel would: without a word.
    pub fn kill_9(&mut self, name: &str) -> Result<()> {
        let process = self.processes.get(name).with_context(|| format!("no process {name}"))?;
        let status = Command::new("kill").args(["-9", &process.pid.to_string()]).status()?;
        ensure!(status.success(), "kill -9 of {name} failed");
        self.wait_state(name, |state| state != "running")
    }

    /// Has `up` start the process again and waits until it serves.
    pub fn restart(&mut self, name: &str) -> Result<()> {
        let home = self.home.path().to_string_lossy().into_owned();
        let answer = self.tributary(&["restart", name, "--home", &home])?;
        self.processes = processes(&answer)?;
        Ok(())
    }

    /// The processes as `up` sees them now.
    pub fn status(&self) -> Result<BTreeMap<String, Process>> {
        let home = self.home.path().to_string_lossy().into_owned();
        processes(&self.tributary(&["status", "--home", &home])?)
    }

    fn wait_state(&mut self, name: &str, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            self.processes = self.status()?;
            if wanted(&self.processes[name].state) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("{name} is still {}", self.processes[name].state)
    }

    /// Ctrl-C: every process drains; returns the exit code of `up`.
    pub fn stop(mut self) -> Result<Option<i32>> {
        Command::new("kill").args(["-TERM", &self.up.id().to_string()]).status()?;
        Ok(self.up.wait()?.code())
    }
}

/// `tributary load` against a gateway, for a thread of its own.
pub fn load(gateway: &str, arguments: &[&str]) -> Result<Value> {
    run_json(
        Command::new(binary("tributary")?).args(["--json", "--gateway", gateway]).args(arguments),
    )
}

#[allow(clippy::print_stderr)]
impl Drop for Mesh {
    fn drop(&mut self) {
        if std::thread::panicking() {
            keep_logs(self.home.path());
        }
        if let Ok(None) = self.up.try_wait() {
            let terminated = Command::new("kill").arg(self.up.id().to_string()).status();
            let ended = terminated.and_then(|_| self.up.wait());
            if let Err(error) = ended {
                eprintln!("the mesh could not be stopped: {error}");
            }
        }
    }
}

/// Copies the logs to `target/e2e-logs`, where a person or CI can find them.
#[allow(clippy::print_stderr)]
fn keep_logs(home: &Path) {
    let target = repository().join("target/e2e-logs");
    let copied = std::fs::create_dir_all(&target).and_then(|()| {
        for entry in std::fs::read_dir(home.join("logs"))? {
            let entry = entry?;
            std::fs::copy(entry.path(), target.join(entry.file_name()))?;
        }
        Ok(())
    });
    match copied {
        Ok(()) => eprintln!("logs of the failed mesh: {}", target.display()),
        Err(error) => eprintln!("the logs could not be kept: {error}"),
    }
}

fn json_line(output: &mut BufReader<ChildStdout>) -> Result<Value> {
    let mut line = String::new();
    let read = output.read_line(&mut line)?;
    ensure!(read > 0, "`tributary up` ended before it was ready; its errors are above");
    serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))
}

fn processes(listing: &Value) -> Result<BTreeMap<String, Process>> {
    let lines = listing.as_array().with_context(|| format!("not a listing: {listing}"))?;
    lines.iter().map(process).collect()
}

fn process(line: &Value) -> Result<(String, Process)> {
    let text = |key: &str| {
        line[key].as_str().map(str::to_owned).with_context(|| format!("no {key} in {line}"))
    };
    let pid = line["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
    let process = Process {
        address: text("address")?,
        metrics: text("metrics")?,
        pid,
        state: text("state")?,
    };
    Ok((text("name")?, process))
}
