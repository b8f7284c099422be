//! What was served as questions to the ranker: the context that serving saw, the items that were
//! shown with what the channels said of them, and what the user then did.
//!
//! Here a negative is an item that the user saw and left alone, not one that a rehearsal only might
//! have shown. The answers of the test period are left out, and so is everything that happened in
//! it.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tributary_domain::{Behaviour, Event, ItemId, Timestamp, UserId};
use tributary_slate::{Finding, Merged};

use crate::{
    channels::CHANNELS,
    data::{DataSet, ServedChannel, ServedItem, ServedList},
    split::{self, Case, Target},
};

/// Whether and how the ranker learns from answers that were served.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServedConfig {
    /// Answers below which none is used.
    pub minimum: usize,
    /// The latest answers that are used, at most.
    pub maximum: usize,
    /// How long after an answer an engagement counts as its effect.
    #[serde(with = "humantime_serde")]
    pub horizon: Duration,
}

impl Default for ServedConfig {
    fn default() -> Self {
        Self { minimum: 1_000, maximum: 200_000, horizon: Duration::from_hours(24) }
    }
}

/// An answer with its context and outcome.
pub(crate) struct Answer {
    pub(crate) case: Case,
    /// In the order in which they were shown.
    pub(crate) shown: Vec<Merged>,
}

/// The answers that were served before a moment, in order of time; nothing at or after it is used.
/// None where there are too few.
pub(crate) fn answers(
    data: &DataSet,
    before: Timestamp,
    length: usize,
    config: &ServedConfig,
) -> Vec<Answer> {
    let lists = &data.served[..data.served.partition_point(|list| list.time < before)];
    if lists.len() < config.minimum {
        return Vec::new();
    }
    let lists = &lists[lists.len().saturating_sub(config.maximum)..];
    let mut histories: HashMap<UserId, Vec<Behaviour>> = HashMap::new();
    for Event { user, behaviour } in split::before(&data.events, before) {
        histories.entry(*user).or_default().push(*behaviour);
    }
    let mut outcomes = Outcomes::of(lists, &histories, config.horizon);
    lists
        .iter()
        .enumerate()
        .map(|(number, list)| {
            let history = histories.get(&list.user).map_or(&[][..], Vec::as_slice);
            let known = known(list, history, before);
            let context = split::context_of(data, list.user, &known, length);
            let case = Case { context, as_of: list.time, targets: outcomes.take(number) };
            Answer { case, shown: list.items.iter().map(merged).collect() }
        })
        .collect()
}

/// What the store had recorded of the user when the answer was made, in its order.
fn known(list: &ServedList, history: &[Behaviour], before: Timestamp) -> Vec<Behaviour> {
    let earlier = history.partition_point(|behaviour| behaviour.time < list.time);
    let earlier = history[..earlier].iter().filter(|behaviour| !list.late.contains(behaviour));
    let early = list.early.iter().filter(|behaviour| behaviour.time < before);
    let mut known: Vec<Behaviour> = earlier.chain(early).copied().collect();
    known.sort_by_key(|behaviour| (behaviour.time, behaviour.item, behaviour.action));
    known
}

fn merged(served: &ServedItem) -> Merged {
    let finding = |of: &ServedChannel| {
        // A channel that this trainer does not know is evidence of nothing.
        let channel = CHANNELS.iter().position(|name| *name == of.channel)?;
        Some(Finding { channel, position: of.position, score: of.score })
    };
    let mut findings: Vec<Finding> = served.channels.iter().filter_map(finding).collect();
    findings.sort_by_key(|finding| finding.channel);
    Merged { item: served.item, findings }
}

/// What came of each answer: an engagement is the effect of the last answer before it that showed
/// the item, if that was not too long ago.
struct Outcomes(HashMap<usize, Vec<Target>>);

impl Outcomes {
    fn of(
        lists: &[ServedList],
        histories: &HashMap<UserId, Vec<Behaviour>>,
        horizon: Duration,
    ) -> Self {
        let horizon = i64::try_from(horizon.as_millis()).unwrap_or(i64::MAX);
        let mut shown: BTreeMap<(UserId, ItemId), Vec<(Timestamp, usize)>> = BTreeMap::new();
        for (number, list) in lists.iter().enumerate() {
            for served in &list.items {
                let moments = shown.entry((list.user, served.item)).or_default();
                moments.push((list.time, number));
            }
        }
        let mut outcomes = Self(HashMap::new());
        for ((user, item), moments) in shown {
            let history = histories.get(&user).map_or(&[][..], Vec::as_slice);
            let engaged = history
                .iter()
                .filter(|behaviour| behaviour.item == item && behaviour.action.is_engagement());
            for behaviour in engaged {
                let after = moments.partition_point(|(time, _)| *time <= behaviour.time);
                let Some((time, number)) = after.checked_sub(1).map(|last| moments[last]) else {
                    continue;
                };
                if behaviour.time.0.saturating_sub(time.0) <= horizon {
                    outcomes.note(number, behaviour);
                }
            }
        }
        outcomes
    }

    fn note(&mut self, number: usize, behaviour: &Behaviour) {
        let targets = self.0.entry(number).or_default();
        let liked = behaviour.action.is_liking();
        match targets.iter_mut().find(|target| target.item == behaviour.item) {
            Some(target) => target.liked |= liked,
            None => targets.push(Target { item: behaviour.item, liked }),
        }
    }

    fn take(&mut self, number: usize) -> Vec<Target> {
        self.0.remove(&number).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
