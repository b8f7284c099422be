use std::path::PathBuf;

/// Why a command failed; the message says what to do where there is something to do.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error("{upstream} at {address} answered {code:?}: {message}{advice}")]
    Refused {
        upstream: &'static str,
        address: String,
        code: tonic::Code,
        message: String,
        advice: &'static str,
    },
    #[error("{0} is not an address")]
    Address(String, #[source] tributary_mesh::ClientError),
    #[error("cannot read or write {path}")]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("line {line} of {path} is not a valid item")]
    ItemLine {
        path: PathBuf,
        line: usize,
        #[source]
        source: serde_json::Error,
    },
    #[error("{path} is missing: {advice}")]
    Missing { path: PathBuf, advice: &'static str },
    #[error("`{command}` failed ({status}); its output is above")]
    Child { command: String, status: std::process::ExitStatus },
    #[error("cannot start {name} from {path}; build it with `cargo build --release`")]
    Start {
        name: String,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("port {port} (for {name}) is taken: stop what listens there, or choose another --port")]
    PortTaken {
        name: String,
        port: u16,
        #[source]
        source: std::io::Error,
    },
    #[error("{name} is not healthy after {patience}: see {log}")]
    Unhealthy { name: String, patience: humantime::FormattedDuration, log: PathBuf },
    #[error("{name} ended while starting ({status}); the end of {log}:\n{tail}")]
    Ended { name: String, status: std::process::ExitStatus, log: PathBuf, tail: String },
    #[error("no running `tributary up` answers at {path}; start one, or name its --home")]
    NoSupervisor {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{0}")]
    Control(String),
    #[error("the configuration of {name} cannot be prepared")]
    Configuration {
        name: String,
        #[source]
        source: toml::de::Error,
    },
    #[error(transparent)]
    Bundle(#[from] tributary_bundle::BundleError),
    #[error(
        "the {what} in {home} is of another data set: name another --home, or move that folder away"
    )]
    OtherData { home: PathBuf, what: &'static str },
    #[error("{0}")]
    Data(String),
    #[error(transparent)]
    Dataset(#[from] tributary_dataset::DatasetError),
}

impl CliError {
    /// Names the file in an I/O error.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
