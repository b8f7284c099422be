//! `tributary`: the command line of the mesh.

use std::process::ExitCode;

use clap::Parser;
use tributary_cli::Arguments;

fn main() -> ExitCode {
    tributary_cli::run(Arguments::parse())
}
