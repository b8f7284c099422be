//! Owns the processes of a mesh from start to end.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use tokio::{net::UnixListener, process::Child, time::Instant};

use super::{
    configuration, control,
    health::{self, Verdict},
    home::Home,
    listing::Process,
    process::{self, Launch},
    service::{INGEST, Ports, SERVICES, Service},
};
use crate::{CliError, arguments::UpOptions, output::Output};

const POLL: Duration = Duration::from_millis(100);
const GRACE: Duration = Duration::from_secs(10);

/// A process of the mesh and what it takes to start it again.
struct Member {
    service: &'static Service,
    port: u16,
    metrics: u16,
    launch: Launch,
    child: Child,
    ended: Option<ExitStatus>,
}

/// The processes, in the order they were started, and the socket that commands come in on.
pub(super) struct Supervisor {
    members: Vec<Member>,
    control: UnixListener,
    home: PathBuf,
}

impl Supervisor {
    /// Starts every process; one that cannot be started takes the others with it.
    pub(super) async fn start(
        home: &Home,
        binaries: &Path,
        ports: &Ports,
        options: &UpOptions,
    ) -> Result<Self, CliError> {
        let control = control::listen(&home.socket()).await?;
        let mut configured = Vec::with_capacity(SERVICES.len() + 1);
        for service in &SERVICES {
            configured.push((service, configuration::write(service, options, home, ports)?));
        }
        let ingest = configuration::write_ingest(options, home, ports)?;
        configured.extend(ingest.map(|configuration| (&INGEST, configuration)));
        let mut members = Vec::with_capacity(configured.len());
        for (service, configuration) in configured {
            let launch = Launch {
                name: service.name,
                binary: binaries.join(service.name),
                configuration,
                log: home.log(service.name),
            };
            process::clear_log(&launch.log)?;
            members.push(Member {
                service,
                port: ports.of(service),
                metrics: ports.metrics_of(service),
                child: launch.start()?,
                launch,
                ended: None,
            });
        }
        Ok(Self { members, control, home: home.root().into() })
    }

    /// Waits until every process serves. A channel that the published bundle is of no use to is
    /// reported and not waited for: the others answer without it.
    pub(super) async fn wait_healthy(
        &mut self,
        patience: Duration,
        output: &Output,
    ) -> Result<(), CliError> {
        let end = Instant::now() + patience;
        // The snapshot of a database may take hours, and answers come meanwhile.
        let awaited = self.members.iter_mut().filter(|member| member.service.name != INGEST.name);
        for member in awaited {
            member.wait_healthy(end, patience, output).await?;
        }
        Ok(())
    }

    /// Watches the processes and answers commands, without end.
    pub(super) async fn supervise(&mut self, output: &Output) {
        let mut poll = tokio::time::interval(POLL);
        loop {
            tokio::select! {
                accepted = self.control.accept() => match accepted {
                    Ok((stream, _)) => self.obey(stream, output).await,
                    Err(error) => tracing::warn!(%error, "control connection failed"),
                },
                _ = poll.tick() => self.report_ends(output),
            }
        }
    }

    async fn obey(&mut self, stream: tokio::net::UnixStream, output: &Output) {
        let answer = async |command| self.answer(command, output).await;
        let answered = control::serve(stream, answer).await;
        if let Err(error) = answered {
            tracing::warn!(%error, "control command was not answered");
        }
    }

    async fn answer(&mut self, command: control::Request, output: &Output) -> control::Answer {
        match command {
            control::Request::Status => control::Answer::Processes(self.processes()),
            control::Request::Restart { name } => match self.restart(&name, output).await {
                Ok(()) => control::Answer::Processes(self.processes()),
                Err(error) => control::Answer::Refused(error.to_string()),
            },
        }
    }

    async fn restart(&mut self, name: &str, output: &Output) -> Result<(), CliError> {
        let member = self.members.iter_mut().find(|member| member.service.name == name);
        let Some(member) = member else {
            let names = SERVICES.each_ref().map(|service| service.name).join(", ");
            return Err(CliError::Control(format!("{name:?} is not one of {names}")));
        };
        member.look();
        if member.ended.is_none() {
            return Err(CliError::Control(format!("{name} is running; stop it first")));
        }
        member.child = member.launch.start()?;
        member.ended = None;
        let patience = Duration::from_secs(30);
        member.wait_healthy(Instant::now() + patience, patience, output).await
    }

    fn report_ends(&mut self, output: &Output) {
        for member in &mut self.members {
            if member.ended.is_none() && member.look() {
                let name = member.service.name;
                output.remark(format!(
                    "{name} ended ({}); its log: {}; start it again with `tributary restart \
                     {name} --home {}`",
                    member.state(),
                    member.launch.log.display(),
                    self.home.display(),
                ));
            }
        }
    }

    /// Name, addresses and state of every process.
    pub(super) fn processes(&mut self) -> Vec<Process> {
        self.members.iter_mut().map(Member::process).collect()
    }

    /// Stops the gateway first, so that no request meets a half-stopped mesh.
    pub(super) async fn stop(&mut self, output: &Output) {
        output.remark("stopping");
        for member in self.members.iter_mut().rev() {
            if member.look() {
                continue;
            }
            let name = member.service.name;
            match process::stop(&mut member.child, GRACE).await {
                Ok(status) if status.success() => {}
                Ok(status) => output.remark(format!("{name} ended with {status}")),
                Err(error) => output.remark(format!("{name} could not be stopped: {error}")),
            }
        }
    }
}

impl Member {
    /// Takes note of an end; true where the process has ended.
    fn look(&mut self) -> bool {
        if self.ended.is_none() {
            match self.child.try_wait() {
                Ok(status) => self.ended = status,
                Err(error) => tracing::warn!(%error, name = self.service.name, "wait failed"),
            }
        }
        self.ended.is_some()
    }

    fn state(&self) -> String {
        self.ended.map_or_else(|| "running".to_owned(), |status| status.to_string())
    }

    fn process(&mut self) -> Process {
        self.look();
        Process {
            name: self.service.name.to_owned(),
            address: format!("127.0.0.1:{}", self.port),
            metrics: format!("http://127.0.0.1:{}/metrics", self.metrics),
            pid: self.child.id(),
            state: self.state(),
        }
    }

    async fn wait_healthy(
        &mut self,
        end: Instant,
        patience: Duration,
        output: &Output,
    ) -> Result<(), CliError> {
        loop {
            match health::ask(self.port, self.service.health).await {
                Verdict::Serving => return Ok(()),
                Verdict::Refuses(bundle) => {
                    output.remark(self.refusal(&bundle));
                    return Ok(());
                }
                Verdict::Waiting => {}
            }
            let name = self.service.name.to_owned();
            let log = self.launch.log.clone();
            if self.look() {
                let status = self.ended.expect("look has just said that it ended");
                return Err(CliError::Ended { name, status, log, tail: self.launch.log_tail() });
            }
            if Instant::now() > end {
                let patience = humantime::format_duration(patience);
                return Err(CliError::Unhealthy { name, patience, log });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn refusal(&self, bundle: &str) -> String {
        format!(
            "bundle {bundle} is of no use to {}, lists come without it (why: {}); train a new one \
             with --retrain",
            self.service.name,
            self.launch.log.display(),
        )
    }
}
