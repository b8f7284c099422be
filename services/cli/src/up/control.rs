//! Commands to a running `up`, over a Unix socket in its home: one JSON line each way.

use std::{io, path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};

use super::{
    home,
    listing::{self, Process},
};
use crate::{
    CliError,
    arguments::{HomeOptions, RestartOptions},
    output::Output,
};

/// How long a caller may take to say what it wants.
const COMMAND_TIME: Duration = Duration::from_secs(2);

/// How long an answer is waited for: a restart takes 30 s at most.
const ANSWER_TIME: Duration = Duration::from_secs(35);

/// What may be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    Status,
    Restart { name: String },
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Processes(Vec<Process>),
    Refused(String),
}

/// Opens the socket; one left behind by a process that is gone is replaced.
pub(super) async fn listen(path: &Path) -> Result<UnixListener, CliError> {
    if UnixStream::connect(path).await.is_ok() {
        let text = format!("an `up` is running already: {} answers", path.display());
        return Err(CliError::Control(text));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CliError::file(path)(error)),
        _ => UnixListener::bind(path).map_err(CliError::file(path)),
    }
}

/// Reads one request, has it answered, writes the answer.
pub(super) async fn serve(
    stream: UnixStream,
    answer: impl AsyncFnOnce(Request) -> Answer,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    tokio::time::timeout(COMMAND_TIME, stream.read_line(&mut line)).await??;
    let answer = match serde_json::from_str(&line) {
        Ok(request) => answer(request).await,
        Err(error) => Answer::Refused(format!("not a command: {error}")),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    stream.get_mut().write_all(&text).await
}

/// Prints the processes of a running `up`.
pub(crate) async fn status(options: &HomeOptions, output: &Output) -> Result<(), CliError> {
    show(ask(options, &Request::Status).await?, output)
}

/// Has a process started again that has ended.
pub(crate) async fn restart(options: &RestartOptions, output: &Output) -> Result<(), CliError> {
    let request = Request::Restart { name: options.name.clone() };
    show(ask(&options.home, &request).await?, output)
}

async fn ask(options: &HomeOptions, request: &Request) -> Result<Answer, CliError> {
    let path = home::socket(&options.home);
    let absent = |source| CliError::NoSupervisor { path: path.clone(), source };
    let mut stream = BufReader::new(UnixStream::connect(&path).await.map_err(absent)?);
    let mut text = serde_json::to_vec(request).expect("a request is plain data");
    text.push(b'\n');
    stream.get_mut().write_all(&text).await.map_err(CliError::file(&path))?;
    let mut line = String::new();
    let answered = tokio::time::timeout(ANSWER_TIME, stream.read_line(&mut line)).await;
    let answered = answered.map_err(|_| {
        let text =
            "`up` is there and does not answer: it starts the processes or loads data; try again";
        CliError::Control(text.into())
    })?;
    answered.map_err(CliError::file(&path))?;
    serde_json::from_str(&line)
        .map_err(|error| CliError::Control(format!("not an answer: {error}")))
}

fn show(answer: Answer, output: &Output) -> Result<(), CliError> {
    match answer {
        Answer::Refused(reason) => Err(CliError::Control(reason)),
        Answer::Processes(processes) => {
            output.show(&processes, |processes| listing::text(processes));
            Ok(())
        }
    }
}
