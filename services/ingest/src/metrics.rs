//! What `ingest` measures.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::position::BinlogPosition;

pub(crate) fn describe() {
    describe_gauge!("ingest_lag_seconds", "Age of what is not read yet; 0 where all is read");
    describe_counter!("ingest_rows_total", "Rows read, by table and by what happened to them");
    describe_counter!("ingest_bad_rows_total", "Rows that could not be used, by table and cause");
    describe_counter!("ingest_changes_total", "Changes that feature acknowledged, by kind");
    describe_counter!("ingest_dead_letters_lost_total", "Bad rows the full list did not keep");
    describe_gauge!("ingest_binlog_file", "Number of the binlog file that was read last");
    describe_gauge!("ingest_binlog_offset", "Stored offset in that file");
    describe_gauge!("ingest_snapshot_rows", "Rows of a table that the snapshot has read");
    describe_gauge!("ingest_snapshot_rows_estimate", "Rows that the server takes it to have");
    describe_gauge!("ingest_stopped_tables", "Tables not followed since their columns changed");
    describe_counter!("ingest_connections_lost_total", "Connections to the database that ended");
    describe_counter!("ingest_feature_retries_total", "Writes that feature did not acknowledge");
    describe_histogram!("ingest_write_seconds", "Time of a write to feature");
}

pub(crate) fn row(table: &str, kind: &'static str) {
    counter!("ingest_rows_total", "table" => table.to_owned(), "kind" => kind).increment(1);
}

pub(crate) fn bad_row(table: &str, cause: &'static str) {
    counter!("ingest_bad_rows_total", "table" => table.to_owned(), "reason" => cause).increment(1);
}

pub(crate) fn change(kind: &'static str) {
    counter!("ingest_changes_total", "kind" => kind).increment(1);
}

pub(crate) fn written(time: Duration) {
    histogram!("ingest_write_seconds").record(time.as_secs_f64());
}

pub(crate) fn retried() {
    counter!("ingest_feature_retries_total").increment(1);
}

pub(crate) fn connection_lost() {
    counter!("ingest_connections_lost_total").increment(1);
}

pub(crate) fn dead_letter_lost() {
    counter!("ingest_dead_letters_lost_total").increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "offsets are far below 2^53")]
pub(crate) fn position(position: &BinlogPosition) {
    gauge!("ingest_binlog_file").set(position.file_number() as f64);
    gauge!("ingest_binlog_offset").set(position.offset as f64);
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
pub(crate) fn snapshot(table: &str, rows: u64, estimate: u64) {
    gauge!("ingest_snapshot_rows", "table" => table.to_owned()).set(rows as f64);
    gauge!("ingest_snapshot_rows_estimate", "table" => table.to_owned()).set(estimate as f64);
}

#[expect(clippy::cast_precision_loss, reason = "a handful of tables")]
pub(crate) fn stopped(tables: usize) {
    gauge!("ingest_stopped_tables").set(tables as f64);
}

pub(crate) fn lag(seconds: f64) {
    gauge!("ingest_lag_seconds").set(seconds);
}
