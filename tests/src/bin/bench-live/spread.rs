use std::{fmt, time::Duration};

/// The times of many trials.
pub(crate) struct Spread {
    what: &'static str,
    times: Vec<Duration>,
    missed: usize,
}

impl Spread {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, times: Vec::new(), missed: 0 }
    }

    /// `None`: it did not happen in time.
    pub(crate) fn add(&mut self, time: Option<Duration>) {
        match time {
            Some(time) => self.times.push(time),
            None => self.missed += 1,
        }
    }

    /// The smallest time that at least that share of the trials kept to.
    fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied()
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| {} |", self.what)?;
        for percent in [50, 90, 99, 100] {
            match self.percentile(percent) {
                Some(time) => write!(f, " {} ms |", time.as_millis())?,
                None => write!(f, " – |")?,
            }
        }
        write!(f, " {} |", self.missed)
    }
}

#[expect(clippy::print_stdout, reason = "the result")]
pub(crate) fn print(spreads: &[Spread], trials: u64) {
    println!("{trials} trials, from the answer to COMMIT to the first answer that knows it");
    println!("| what | p50 | p90 | p99 | max | none within 5 s |");
    println!("|---|---|---|---|---|---|");
    spreads.iter().for_each(|spread| println!("{spread}"));
}
