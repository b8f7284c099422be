use std::process::ExitCode;

use tributary_recall_collaborative::{Config, start};

fn main() -> ExitCode {
    tributary_runtime::main("recall-collaborative", async |config: Config, listeners, shutdown| {
        Ok(start(config, listeners, shutdown).await?)
    })
}
