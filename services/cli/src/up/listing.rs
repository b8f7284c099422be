//! How the processes of a mesh are listed, here and over the control socket.

use serde::{Deserialize, Serialize};

use crate::output::table;

/// One process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Process {
    pub name: String,
    pub address: String,
    pub metrics: String,
    pub pid: Option<u32>,
    /// "running", or how it ended.
    pub state: String,
}

/// The table for people.
pub(super) fn text(processes: &[Process]) -> String {
    let mut rows = table(["process", "address", "metrics", "pid", "state"]);
    for process in processes {
        rows.add_row([
            process.name.clone(),
            process.address.clone(),
            process.metrics.clone(),
            process.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            process.state.clone(),
        ]);
    }
    rows.to_string()
}
