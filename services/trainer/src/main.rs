//! The trainer's command line.

use std::process::ExitCode;

use clap::Parser;
use tributary_trainer::arguments::Arguments;

#[expect(clippy::print_stderr, reason = "the error of a command line tool")]
fn main() -> ExitCode {
    match Arguments::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            error.chain().skip(1).for_each(|cause| eprintln!("  because: {cause}"));
            ExitCode::FAILURE
        }
    }
}
