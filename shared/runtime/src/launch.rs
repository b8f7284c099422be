//! The whole life of a process, from its arguments to its exit code.

use std::{error::Error, io, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use tokio::{
    runtime::{self, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{Configuration, Listeners, load, telemetry};

/// `EX_USAGE` of sysexits.h: the arguments or the configuration are wrong.
const BAD_CONFIGURATION: u8 = 64;

/// Ended by a second signal, as a shell says it of SIGINT.
const INTERRUPTED: i32 = 130;

/// Blocking work that has not ended by then is left behind.
const LAST_WORK: Duration = Duration::from_secs(1);

/// Runs a process: parses `--config FILE` and `--check`, loads the configuration, sets up
/// telemetry, binds, and calls `start`, whose token is cancelled by SIGTERM or SIGINT. A second
/// signal ends the process at once. Exits with 0 after `start` has returned `Ok`, with 1 after an
/// error, with 64 where the arguments or the configuration are wrong.
pub fn main<C, F, Fut>(name: &'static str, start: F) -> ExitCode
where
    C: Configuration,
    F: FnOnce(C, Listeners, CancellationToken) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let arguments = match arguments(name).try_get_matches() {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error),
    };
    let file: Option<&PathBuf> = arguments.get_one("config");
    let config: C = match load(file.map(PathBuf::as_path)) {
        Ok(config) => config,
        Err(error) => return fail(name, &error, BAD_CONFIGURATION),
    };
    if is_check(&arguments) {
        return ExitCode::SUCCESS;
    }
    match run(name, config, start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(name, error.as_ref(), 1),
    }
}

fn arguments(name: &'static str) -> Command {
    Command::new(name)
        .version(env!("CARGO_PKG_VERSION"))
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("TOML file; TRIBUTARY__SECTION__KEY in the environment overrides it"),
        )
        .arg(
            Arg::new("check")
                .long("check")
                .action(ArgAction::SetTrue)
                .help("check the configuration and exit"),
        )
}

fn is_check(arguments: &ArgMatches) -> bool {
    arguments.get_flag("check")
}

/// Help and version are asked for; all else is a mistake.
fn refused(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    match (error.use_stderr(), printed) {
        (false, Ok(())) => ExitCode::SUCCESS,
        (true, _) | (false, Err(_)) => ExitCode::from(BAD_CONFIGURATION),
    }
}

/// Says why on standard error, where logs may not be set up yet.
fn fail(name: &str, error: &dyn Error, code: u8) -> ExitCode {
    let mut text = format!("{name}: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    eprintln!("{text}");
    ExitCode::from(code)
}

fn run<C, F, Fut>(name: &'static str, config: C, start: F) -> anyhow::Result<()>
where
    C: Configuration,
    F: FnOnce(C, Listeners, CancellationToken) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(name, config, start));
    finish(runtime);
    result
}

fn finish(runtime: Runtime) {
    runtime.shutdown_timeout(LAST_WORK);
}

async fn serve<C, F, Fut>(name: &'static str, config: C, start: F) -> anyhow::Result<()>
where
    C: Configuration,
    F: FnOnce(C, Listeners, CancellationToken) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let telemetry = telemetry::start(name, config.telemetry())?;
    let shutdown = CancellationToken::new();
    let signals = Signals::listen().context("signals cannot be received")?;
    let watching = tokio::spawn(signals.watch(shutdown.clone()));
    let listeners = Listeners::bind(config.server()).await?;
    let metrics = listeners.metrics.as_ref().and_then(|socket| socket.local_addr().ok());
    tracing::info!(grpc = %listeners.grpc_address(), ?metrics, "listening");
    let result = start(config, listeners, shutdown).await;
    watching.abort();
    tracing::info!(clean = result.is_ok(), "stopped");
    // Blocks for half a second at most, and nothing else runs any more.
    tokio::task::block_in_place(|| telemetry.finish());
    result
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn watch(mut self, shutdown: CancellationToken) {
        self.next().await;
        tracing::info!("signal received: stopping");
        shutdown.cancel();
        self.next().await;
        tracing::warn!("second signal received: exiting at once");
        std::process::exit(INTERRUPTED);
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
