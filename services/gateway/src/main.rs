//! The gateway's process.

use std::process::ExitCode;

fn main() -> ExitCode {
    tributary_runtime::main("gateway", tributary_gateway::start)
}
