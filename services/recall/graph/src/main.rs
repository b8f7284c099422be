use std::process::ExitCode;

use tributary_recall_graph::{Config, start};

fn main() -> ExitCode {
    tributary_runtime::main("recall-graph", async |config: Config, listeners, shutdown| {
        Ok(start(config, listeners, shutdown).await?)
    })
}
