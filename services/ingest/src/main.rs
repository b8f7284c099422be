use std::process::ExitCode;

use tributary_ingest::{Config, command, start};

fn main() -> ExitCode {
    let first = std::env::args().nth(1);
    if first.is_some_and(|first| command::COMMANDS.contains(&first.as_str())) {
        return command::main();
    }
    tributary_runtime::main("ingest", async |config: Config, listeners, shutdown| {
        Ok(start(config, listeners, shutdown).await?)
    })
}
