//! The split by time: two moments part the events.

use super::{Events, Protocol, ProtocolKind, Round};
use crate::{
    config::SplitConfig,
    data::DataSet,
    split::{self, Cuts, Period},
};

/// Models learn from what is before the test period; the ranker from the window before it, over
/// models that learned from what is before the window.
pub(super) fn protocol<'a>(data: &'a DataSet, config: &SplitConfig) -> Protocol<'a> {
    let cuts = Cuts::at_shares(&data.events, config.window, config.test);
    let round = |name: &str, period: &Period<'_>| Round {
        name: name.to_owned(),
        learned: Events::Part(split::before(&data.events, period.from)),
        before: Some(period.from),
        stream: Events::Part(&data.events),
        cases: split::cases(data, period),
    };
    let length = config.context;
    let window = Period {
        from: cuts.window,
        until: Some(cuts.test),
        ask_after: &config.sample_after,
        length,
    };
    let test = Period { from: cuts.test, until: None, ask_after: &config.ask_after, length };
    Protocol {
        kind: ProtocolKind::Time,
        rehearsals: vec![round("window", &window)],
        test: round("test", &test),
    }
}
