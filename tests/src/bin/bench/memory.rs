//! Resident memory of every process after the load.

use std::fs;

use anyhow::{Context, Result};
use tributary_e2e::Mesh;

use crate::report::Report;

/// Adds one row a process.
pub(crate) fn measure(mesh: &Mesh, report: &mut Report) -> Result<()> {
    let own = resident_mib(std::process::id())?;
    for (name, process) in mesh.status()? {
        let mib = resident_mib(process.pid)?;
        let baseline = format!("this program {own:.0} MiB: {:.2} ×", mib / own);
        report.add(
            format!("{name}: resident memory"),
            "after the load",
            format!("{mib:.0} MiB"),
            baseline,
            "≤ 150 MB",
        );
    }
    Ok(())
}

fn resident_mib(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kib: u32 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(f64::from(kib) / 1024.0)
}
