use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// A child process with its output in a file. Killed when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `binary`; standard output and error are appended to the file `log`.
    pub fn spawn<A, E, K, V>(
        binary: impl AsRef<Path>,
        arguments: A,
        environment: E,
        log: impl Into<PathBuf>,
    ) -> anyhow::Result<Self>
    where
        A: IntoIterator<Item: AsRef<OsStr>>,
        E: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let (binary, log) = (binary.as_ref(), log.into());
        let output = File::options().create(true).append(true).open(&log)?;
        let child = Command::new(binary)
            .args(arguments)
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Self { child, log })
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// `None` once it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(&self.log).expect("the log was made at the start");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Ends it as a crash would, and waits for the end.
    pub async fn kill_9(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end (SIGTERM), and waits for that.
    pub async fn stop(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        self.signal("TERM").await?;
        self.wait(patience).await
    }

    /// Sends the signal of that name, without waiting for what it does.
    pub async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let Some(pid) = self.pid() else { bail!("the process has ended") };
        let pid = pid.to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().await?;
        anyhow::ensure!(sent.success(), "signal {name} could not be sent to {pid}");
        Ok(())
    }

    /// Waits for its end.
    pub async fn wait(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let ended = timeout(patience, self.child.wait()).await;
        let log = self.log.display();
        Ok(ended.with_context(|| format!("still running after {patience:?}, see {log}"))??)
    }
}
