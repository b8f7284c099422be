use std::process::ExitCode;

use tributary_recall_search::{Config, start};

fn main() -> ExitCode {
    tributary_runtime::main("recall-search", async |config: Config, listeners, shutdown| {
        Ok(start(config, listeners, shutdown).await?)
    })
}
