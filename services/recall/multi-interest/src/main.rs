use std::process::ExitCode;

use tributary_recall_multi_interest::{Config, start};

fn main() -> ExitCode {
    tributary_runtime::main("recall-multi-interest", async |config: Config, listeners, shutdown| {
        Ok(start(config, listeners, shutdown).await?)
    })
}
