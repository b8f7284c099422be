//! Session windows: what a user dealt with in one go.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use tributary_domain::{Event, ItemId, Timestamp, UserId};

/// How a user's events are parted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionConfig {
    /// A window ends where the next engagement comes later than this.
    #[serde(with = "humantime_serde")]
    pub gap: Duration,
    /// Items of a window at most; the next one begins a new window.
    pub maximum: usize,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self { gap: Duration::from_secs(30 * 60), maximum: 200 }
    }
}

/// The windows of all users, by user and then time; a window holds each of its items once, in
/// order of the first meeting. The events stand in order of time.
pub(crate) fn windows(events: &[Event], config: &SessionConfig) -> Vec<Vec<ItemId>> {
    let mut users: BTreeMap<UserId, Open> = BTreeMap::new();
    for event in events.iter().filter(|event| event.behaviour.action.is_engagement()) {
        let open = users.entry(event.user).or_default();
        open.add(event.behaviour.item, event.behaviour.time, config);
    }
    users.into_values().flat_map(|open| open.windows).collect()
}

/// The windows of one user so far; the last may go on.
#[derive(Default)]
struct Open {
    windows: Vec<Vec<ItemId>>,
    latest: Option<Timestamp>,
}

impl Open {
    fn add(&mut self, item: ItemId, time: Timestamp, config: &SessionConfig) {
        let gap = i64::try_from(config.gap.as_millis()).unwrap_or(i64::MAX);
        let goes_on = self.latest.is_some_and(|latest| time.0.saturating_sub(latest.0) <= gap);
        self.latest = Some(time);
        match self.windows.last_mut() {
            Some(window) if goes_on && window.contains(&item) => {}
            Some(window) if goes_on && window.len() < config.maximum.max(1) => window.push(item),
            _ => self.windows.push(vec![item]),
        }
    }
}

#[cfg(test)]
mod tests {
    use tributary_domain::{Action, Behaviour};

    use super::*;

    fn event(user: u64, item: u64, minute: i64, action: Action) -> Event {
        let time = Timestamp(minute * 60_000);
        Event {
            user: UserId(user),
            behaviour: Behaviour { item: ItemId(item), action, time, dwell_ms: 0 },
        }
    }

    #[test]
    fn windows_end_at_gaps_and_when_they_are_full() {
        let events = [
            event(2, 10, 0, Action::View),
            event(1, 10, 1, Action::View),
            event(2, 11, 30, Action::Bookmark),
            event(2, 10, 40, Action::View),
            event(2, 12, 45, Action::Impression),
            event(2, 13, 70, Action::View),
            event(2, 14, 101, Action::View),
            event(2, 15, 102, Action::View),
            event(2, 16, 103, Action::View),
            event(2, 17, 104, Action::View),
        ];
        let config = SessionConfig { gap: Duration::from_secs(30 * 60), maximum: 3 };
        let found: Vec<Vec<u64>> = windows(&events, &config)
            .into_iter()
            .map(|window| window.into_iter().map(|item| item.0).collect())
            .collect();
        // Minute 40 to 70 is a pause of exactly the gap; from 70 to 101 it is longer.
        assert_eq!(found, [vec![10], vec![10, 11, 13], vec![14, 15, 16], vec![17]]);
    }
}
