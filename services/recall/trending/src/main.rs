use std::process::ExitCode;

use tributary_recall_trending::{Config, start};

fn main() -> ExitCode {
    tributary_runtime::main("recall-trending", async |config: Config, listeners, shutdown| {
        Ok(start(config, listeners, shutdown).await?)
    })
}
