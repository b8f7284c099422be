//! The command line: starts a mesh on one machine, asks it, feeds it, measures it, and moves
//! bundles. Everything it knows of a running mesh it learns over gRPC, as any client would.

mod arguments;
mod command;
mod connection;
mod error;
mod export;
mod load;
mod output;
mod up;

use std::process::ExitCode;

pub use arguments::Arguments;
use arguments::Command;
pub use error::CliError;
use output::Output;

/// Runs one command. Exit code 0: done; 1: failed, with the reason on standard error.
pub fn run(arguments: Arguments) -> ExitCode {
    // Warnings of the client stack and of the supervisor; results go to standard output.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    let output = Output::new(arguments.json);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(dispatch(arguments, output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn dispatch(arguments: Arguments, output: Output) -> Result<(), CliError> {
    let mesh = arguments.mesh;
    match arguments.command {
        Command::Up(options) => up::run(options, output).await,
        Command::Status(options) => up::control::status(&options, &output).await,
        Command::Restart(options) => up::control::restart(&options, &output).await,
        Command::Recommend(options) => command::recommend(&mesh, options, &output).await,
        Command::Explain(options) => command::explain(&mesh, options, &output).await,
        Command::Event(options) => command::event(&mesh, options, &output).await,
        Command::Items(options) => command::items(&mesh, options, &output).await,
        Command::Bundle(options) => command::bundle(options, &output),
        Command::Export(options) => export::run(&mesh, options, &output).await,
        Command::Load(options) => load::run(&mesh, options, &output).await,
    }
}

#[allow(clippy::print_stderr)]
fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  caused by: {error}");
        cause = error.source();
    }
    ExitCode::FAILURE
}
