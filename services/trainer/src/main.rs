//! The trainer's command line. Exit code 0: done; 1: failed; 2: wrong arguments; 3: a bundle was to be
//! published and the gate blocks it.

use std::process::ExitCode;

use clap::Parser;
use tributary_trainer::{TrainerError, arguments::Arguments};

#[expect(clippy::print_stderr, reason = "the error of a command line tool")]
fn main() -> ExitCode {
    match Arguments::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            error.chain().skip(1).for_each(|cause| eprintln!("  because: {cause}"));
            match error.downcast_ref() {
                Some(TrainerError::Blocked { .. }) => ExitCode::from(3),
                _ => ExitCode::FAILURE,
            }
        }
    }
}
