use tributary_domain::ChannelName;
use tributary_features::ranking::Evidence;

/// What one channel said of the candidates, in columns as long as the candidates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChannelColumns {
    pub(crate) channel: ChannelName,
    /// From 1; 0 where the channel did not propose the candidate.
    pub(crate) positions: Vec<u32>,
    pub(crate) scores: Vec<f32>,
}

/// Collects into `found` what the channels said of the candidate with that index.
pub(crate) fn of(columns: &[ChannelColumns], candidate: usize, found: &mut Vec<Evidence>) {
    found.clear();
    found.extend(columns.iter().filter(|column| column.positions[candidate] > 0).map(|column| {
        Evidence {
            channel: column.channel.clone(),
            position: column.positions[candidate],
            score: column.scores[candidate],
        }
    }));
}
