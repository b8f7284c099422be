//! Answers as they were served: what was shown together, and what serving knew of it.
//!
//! They come from the export of an event log. An impression there has the request that showed the
//! item, its place, and what each channel said of it; every event has the version that its user had
//! after it. So the context that an answer was made from is known exactly, also where an event was
//! recorded later than its own time says.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use tributary_domain::ItemId;
use tributary_domain::{Action, Behaviour, Event, Timestamp, UserId};

use super::row::{BadRow, Row};

/// The items of one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServedList {
    pub request: String,
    pub user: UserId,
    /// When it was shown.
    pub time: Timestamp,
    /// Ascending by position.
    pub items: Vec<ServedItem>,
    /// What the user did before `time`, but was recorded only after the answer was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<Behaviour>,
    /// What has a time of `time` or after, but had been recorded when the answer was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub early: Vec<Behaviour>,
}

/// An item of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServedItem {
    pub item: ItemId,
    /// From 1.
    pub position: u32,
    pub channels: Vec<ServedChannel>,
}

/// What a channel said of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServedChannel {
    pub channel: String,
    /// In the channel's list, from 1.
    pub position: u32,
    pub score: f32,
}

/// Collects the answers of a file of events, row by row.
#[derive(Default)]
pub(super) struct Collector {
    lists: BTreeMap<(UserId, String), Draft>,
    /// What each user did, impressions apart, with the user's version after it.
    deeds: HashMap<UserId, Vec<(u64, Behaviour)>>,
}

struct Draft {
    time: Timestamp,
    /// The version of the user's context that the answer was made from.
    version: u64,
    items: Vec<ServedItem>,
}

impl Collector {
    /// Takes a row whose event is `event`. Rows without a request are no part of an answer.
    pub(super) fn take(&mut self, row: &Row<'_>, event: &Event) -> Result<(), BadRow> {
        let Event { user, behaviour } = event;
        if behaviour.action != Action::Impression {
            let version = row.optional_number("user_version")?;
            if let Some(version) = version {
                self.deeds.entry(*user).or_default().push((version, *behaviour));
            }
            return Ok(());
        }
        let Some(request) = row.text("request_id") else { return Ok(()) };
        let item = ServedItem {
            item: behaviour.item,
            position: row.number("position")?,
            channels: channels(row)?,
        };
        let draft = Draft {
            time: behaviour.time,
            version: row.number("context_version")?,
            items: Vec::new(),
        };
        let list = self.lists.entry((*user, request.to_owned())).or_insert(draft);
        list.time = list.time.min(behaviour.time);
        list.items.push(item);
        Ok(())
    }

    /// The answers in order of time, ties by user and request.
    pub(super) fn finish(self) -> Vec<ServedList> {
        let Self { lists, deeds } = self;
        let finish = |((user, request), draft): ((UserId, String), Draft)| {
            let Draft { time, version, mut items } = draft;
            items.sort_by_key(|item| (item.position, item.item));
            let deeds = deeds.get(&user).map_or(&[][..], Vec::as_slice);
            let of = |wanted: fn(bool, bool) -> bool| {
                let chosen = deeds.iter().filter(|(recorded, behaviour)| {
                    wanted(behaviour.time < time, *recorded <= version)
                });
                chosen.map(|(_, behaviour)| *behaviour).collect()
            };
            let late = of(|before, known| before && !known);
            let early = of(|before, known| !before && known);
            ServedList { request, user, time, items, late, early }
        };
        let mut lists: Vec<ServedList> = lists.into_iter().map(finish).collect();
        lists.sort_by(|one, other| {
            let key = |list: &ServedList| (list.time, list.user);
            key(one).cmp(&key(other)).then_with(|| one.request.cmp(&other.request))
        });
        lists
    }
}

/// The columns `channels`, `channel_positions` and `channel_scores`, lists of equal length.
fn channels(row: &Row<'_>) -> Result<Vec<ServedChannel>, BadRow> {
    let names = row.list("channels", '|');
    let positions: Vec<u32> = row.numbers("channel_positions")?;
    let scores: Vec<f32> = row.numbers("channel_scores")?;
    if positions.len() != names.len() || scores.len() != names.len() {
        let found = row.text("channels").unwrap_or("");
        let expected = "a list as long as channel_positions and channel_scores";
        return Err(BadRow::value("channels", found, expected));
    }
    let rows = names.into_iter().zip(positions).zip(scores);
    Ok(rows
        .map(|((channel, position), score)| ServedChannel { channel, position, score })
        .collect())
}
