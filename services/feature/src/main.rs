use std::process::ExitCode;

fn main() -> ExitCode {
    tributary_runtime::main("feature", tributary_feature::start)
}
