use std::process::ExitCode;

use tributary_recall_two_tower::{Config, start};

fn main() -> ExitCode {
    tributary_runtime::main("recall-two-tower", async |config: Config, listeners, shutdown| {
        Ok(start(config, listeners, shutdown).await?)
    })
}
