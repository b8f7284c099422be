use std::process::ExitCode;

use tributary_rerank::{Config, start};

fn main() -> ExitCode {
    tributary_runtime::main("rerank", async |config: Config, listeners, shutdown| {
        Ok(start(config, listeners, shutdown).await?)
    })
}
