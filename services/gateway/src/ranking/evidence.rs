//! What the channels said of the candidates, in columns for the ranking model.

use crate::{config::ChannelConfig, merge::Pool, upstreams::Evidence};

/// The channels of the request, by name.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    pub all: &'a [ChannelConfig],
}

/// One pair of columns for each channel that found a candidate, in the order of the configuration.
pub(super) fn columns<'a>(
    pool: &Pool,
    candidates: &[usize],
    names: Names<'a>,
) -> Vec<Evidence<'a>> {
    let rows = candidates.len();
    let mut columns: Vec<Option<Evidence<'a>>> = names.all.iter().map(|_| None).collect();
    for (row, candidate) in candidates.iter().enumerate() {
        for finding in pool.findings(*candidate) {
            let name = &names.all[finding.channel].name;
            let column = columns[finding.channel].get_or_insert_with(|| empty(name, rows));
            column.positions[row] = finding.position;
            column.scores[row] = finding.score;
        }
    }
    columns.into_iter().flatten().collect()
}

fn empty(channel: &str, rows: usize) -> Evidence<'_> {
    Evidence { channel, positions: vec![0; rows], scores: vec![0.0; rows] }
}
