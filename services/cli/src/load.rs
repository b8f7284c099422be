//! Load on a mesh: closed loop (each client waits for its answer) or open loop (requests start on
//! a schedule, and latency counts from the planned start, so that a stalled server cannot hide its
//! stall).

mod record;
mod report;
mod traffic;

use std::{sync::Arc, time::Duration};

use futures::stream::{self, StreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep_until};

use crate::{
    CliError,
    arguments::{LoadOptions, Loop, MeshAddresses},
    connection::Connection,
    output::Output,
};
use record::{Record, Sample};
use report::Report;
use traffic::Traffic;

/// Runs the load and prints what came back.
pub(crate) async fn run(
    mesh: &MeshAddresses,
    options: LoadOptions,
    output: &Output,
) -> Result<(), CliError> {
    let gateway = Connection::new("gateway", &mesh.gateway, mesh.timeout)?;
    let traffic = Arc::new(Traffic::new(gateway, &options));
    traffic.probe().await?;
    warm_up(&traffic, &options).await;
    let progress = progress(&options, output);
    let started = Instant::now();
    let record = match options.kind {
        Loop::Closed => closed(&traffic, &options, started + options.duration, &progress).await,
        Loop::Open => open(&traffic, &options, started, &progress).await,
    };
    progress.finish_and_clear();
    let report = Report::new(&record, &options, started.elapsed());
    output.show(&report, Report::text);
    Ok(())
}

async fn warm_up(traffic: &Arc<Traffic>, options: &LoadOptions) {
    let end = Instant::now() + options.warm_up;
    closed(traffic, options, end, &ProgressBar::hidden()).await;
}

/// Each of the clients sends its next request when it has its answer.
async fn closed(
    traffic: &Arc<Traffic>,
    options: &LoadOptions,
    end: Instant,
    progress: &ProgressBar,
) -> Record {
    let clients = (0..options.concurrency.max(1)).map(|_| async {
        let mut record = Record::default();
        while Instant::now() < end {
            record.add(traffic.send(Instant::now()).await);
            progress.inc(1);
        }
        record
    });
    futures::future::join_all(clients).await.into_iter().fold(Record::default(), Record::merge)
}

/// Requests start at the planned times; at most `concurrency` are under way, and one that had to
/// wait for its place counts the wait.
async fn open(
    traffic: &Arc<Traffic>,
    options: &LoadOptions,
    started: Instant,
    progress: &ProgressBar,
) -> Record {
    let planned = planned_starts(options.rate, options.duration);
    let samples = stream::iter(planned)
        .map(|offset| async move {
            let planned = started + offset;
            sleep_until(planned).await;
            traffic.send(planned).await
        })
        .buffer_unordered(options.concurrency.max(1));
    let add = |mut record: Record, sample: Sample| {
        record.add(sample);
        progress.inc(1);
        std::future::ready(record)
    };
    samples.fold(Record::default(), add).await
}

/// Evenly spaced starts, from the beginning of the measurement.
fn planned_starts(rate: f64, duration: Duration) -> impl Iterator<Item = Duration> {
    let gap = Duration::from_secs_f64(1.0 / rate.max(0.001));
    std::iter::successors(Some(Duration::ZERO), move |start| start.checked_add(gap))
        .take_while(move |start| *start < duration)
}

fn progress(options: &LoadOptions, output: &Output) -> ProgressBar {
    if output.is_json() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos} requests, {per_sec}, {elapsed}");
    let bar = ProgressBar::new_spinner();
    bar.set_style(style.expect("the template is a constant that parses"));
    bar.set_message(format!("{:?}", options.kind));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_evenly_spaced_and_end_with_the_duration() {
        let starts: Vec<_> = planned_starts(4.0, Duration::from_secs(1)).collect();
        let expected = [0, 250, 500, 750].map(Duration::from_millis);
        assert_eq!(starts, expected);
    }
}
