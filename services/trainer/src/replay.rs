//! Events played back in order of time, so that every question is answered with what was known
//! then.

use tributary_domain::{Event, Timestamp};

/// A position in the events; they stand in order of time.
pub(crate) struct Replay<'a> {
    rest: &'a [Event],
}

impl<'a> Replay<'a> {
    pub(crate) fn of(events: &'a [Event]) -> Self {
        Self { rest: events }
    }

    /// The events since the last call that are before `moment`. Moments must not decrease.
    pub(crate) fn until(&mut self, moment: Timestamp) -> &'a [Event] {
        let count = self.rest.partition_point(|event| event.behaviour.time < moment);
        let (passed, rest) = self.rest.split_at(count);
        self.rest = rest;
        passed
    }
}
