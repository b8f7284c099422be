//! One child process: its log, its end, its signals.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::CliError;

/// What it takes to start a process, again if need be.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub name: &'static str,
    pub binary: PathBuf,
    pub configuration: PathBuf,
    pub log: PathBuf,
}

impl Launch {
    /// Starts the process in a process group of its own, so that Ctrl-C reaches it only through
    /// us, after we have said so.
    pub(super) fn start(&self) -> Result<Child, CliError> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.map_err(CliError::file(&self.log))?;
        let errors = log.try_clone().map_err(CliError::file(&self.log))?;
        Command::new(&self.binary)
            .arg("--config")
            .arg(&self.configuration)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| CliError::Start {
                name: self.name.to_owned(),
                path: self.binary.clone(),
                source,
            })
    }

    /// The end of the log, for an error message.
    pub(super) fn log_tail(&self) -> String {
        tail(&self.log, 2_000).unwrap_or_else(|error| format!("(cannot read the log: {error})"))
    }
}

fn tail(path: &Path, bytes: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Asks a process to end, and kills it where it does not within `grace`.
pub(super) async fn stop(child: &mut Child, grace: Duration) -> std::io::Result<ExitStatus> {
    let number = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = number {
        kill_process(pid, Signal::TERM)?;
    }
    match tokio::time::timeout(grace, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            child.kill().await?;
            child.wait().await
        }
    }
}

/// A call of the trainer that lies beside the services.
pub(super) fn trainer(binaries: &Path) -> Command {
    Command::new(binaries.join("trainer"))
}

/// Runs a command to its end. What it prints goes to our standard error: standard output is for
/// the command line's own results.
pub(super) async fn run_to_end(mut command: Command) -> Result<(), CliError> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let status =
        command.stdin(Stdio::null()).stdout(std::io::stderr()).kill_on_drop(true).status().await;
    let status = status.map_err(|source| CliError::Start {
        name: "trainer".into(),
        path: name.clone().into(),
        source,
    })?;
    if status.success() { Ok(()) } else { Err(CliError::Child { command: name, status }) }
}

/// Empties a log, so that it speaks of this start only.
pub(super) fn clear_log(path: &Path) -> Result<(), CliError> {
    fs::write(path, "").map_err(CliError::file(path))
}
