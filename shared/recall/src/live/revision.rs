use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// The revision of a channel that lives on a stream of changes.
///
/// Were every change a new revision, a busy stream would make the cache useless; so ordinary
/// changes become visible together, at most once in an interval, while a withdrawal (an item
/// deleted or hidden) counts at once.
#[derive(Debug)]
pub(crate) struct Revision {
    interval: Duration,
    // Held for a few instructions; guards the number together with the time it was made.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    number: u64,
    since: Instant,
    changed: bool,
}

impl Revision {
    /// Revision 0, to rise at most once in `interval` for ordinary changes.
    pub(crate) fn new(interval: Duration) -> Self {
        let state = State { number: 0, since: Instant::now(), changed: false };
        Self { interval, state: Mutex::new(state) }
    }

    /// The number that lists computed now carry.
    pub(crate) fn current(&self) -> u64 {
        self.update(|_| {})
    }

    /// Something changed that may wait for the interval.
    pub(crate) fn changed(&self) {
        self.update(|state| state.changed = true);
    }

    /// Something is gone that must not be served again.
    pub(crate) fn withdrawn(&self) {
        self.update(State::rise);
    }

    fn update(&self, change: impl FnOnce(&mut State)) -> u64 {
        let mut state = self.state.lock().expect("nothing panics while the lock is held");
        change(&mut state);
        if state.changed && state.since.elapsed() >= self.interval {
            state.rise();
        }
        state.number
    }
}

impl State {
    fn rise(&mut self) {
        self.number += 1;
        self.since = Instant::now();
        self.changed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_wait_for_the_interval_and_withdrawals_do_not() {
        let slow = Revision::new(Duration::from_hours(1));
        slow.changed();
        assert_eq!(slow.current(), 0);
        slow.withdrawn();
        assert_eq!(slow.current(), 1);
        assert_eq!(slow.current(), 1);

        let fast = Revision::new(Duration::ZERO);
        assert_eq!(fast.current(), 0);
        fast.changed();
        assert_eq!(fast.current(), 1);
    }
}
