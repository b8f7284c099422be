use std::process::ExitCode;

fn main() -> ExitCode {
    tributary_runtime::main("ranking", tributary_ranking::start)
}
