use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::metrics;

const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Tells how far a table is read: as a bar on a terminal, as lines of the log, as metrics.
pub(super) struct Progress {
    table: String,
    estimate: u64,
    began: Instant,
    rows_at_begin: u64,
    rows: u64,
    told: Instant,
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn begin(table: &str, rows: u64, estimate: u64) -> Self {
        tracing::info!(table, rows, estimate, "reading the table");
        metrics::snapshot(table, rows, estimate);
        let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} rows, {eta} left");
        let bar = ProgressBar::new(estimate.max(rows)).with_message(table.to_owned());
        if let Ok(style) = style {
            bar.set_style(style);
        }
        let (table, now) = (table.to_owned(), Instant::now());
        Self { table, estimate, began: now, rows_at_begin: rows, rows, told: now, bar }
    }

    /// So many rows of the table are read.
    pub(super) fn advance(&mut self, rows: u64) {
        self.rows = rows;
        metrics::snapshot(&self.table, rows, self.estimate);
        self.bar.set_length(self.estimate.max(rows));
        self.bar.set_position(rows);
        if self.told.elapsed() >= BETWEEN_LINES {
            self.told = Instant::now();
            let (rate, left) = (self.rate(), self.left());
            tracing::info!(
                table = self.table,
                rows,
                estimate = self.estimate,
                rows_per_second = rate,
                ?left,
                "reading the table"
            );
        }
    }

    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
        metrics::snapshot(&self.table, self.rows, self.rows);
        let (rate, took) = (self.rate(), self.began.elapsed());
        tracing::info!(
            table = self.table,
            rows = self.rows,
            rows_per_second = rate,
            ?took,
            "the table is read"
        );
    }

    fn rate(&self) -> u64 {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        (self.rows - self.rows_at_begin).saturating_mul(1_000) / ms
    }

    fn left(&self) -> Option<Duration> {
        let rows = self.estimate.saturating_sub(self.rows);
        Some(Duration::from_secs(rows.checked_div(self.rate())?))
    }
}
