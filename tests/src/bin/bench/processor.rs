//! Processor time, which a noisy neighbour changes less than the clock on the wall.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// Clock ticks a second of `/proc/<pid>/stat`; 100 on every Linux that Rust supports.
const TICKS: u64 = 100;

/// User and system time of a process so far, to 10 ms.
pub(crate) fn used(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold spaces: what follows the last one is numbers.
    let (_, numbers) = stat.rsplit_once(')').context("no name in /proc/<pid>/stat")?;
    let ticks = |index: usize| -> Result<u64> {
        let text = numbers.split_whitespace().nth(index).context("too few fields")?;
        Ok(text.parse()?)
    };
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 1_000 / TICKS))
}
