//! Splits that hold out some of each user's items: at random, or as the data's files give them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use tributary_domain::{Behaviour, Event, ItemId, Timestamp, UserId};

use super::{Events, Protocol, ProtocolKind, Round};
use crate::{
    config::SplitConfig,
    data::{DataSet, GivenSplit},
    number::{float, floor},
    split,
};

/// Events that are known and events that are asked for.
struct Parts {
    known: Vec<Event>,
    held: Vec<Event>,
}

/// Holds out a share of each user's items for the test, and shares of the rest for the rehearsals.
pub(super) fn random<'a>(data: &'a DataSet, config: &SplitConfig, seed: u64) -> Protocol<'a> {
    let parts = hold_out(&data.events, config.random.share, seed);
    let rehearsals = rehearse(data, &parts.known, config, seed);
    Protocol {
        kind: ProtocolKind::Random,
        rehearsals,
        test: round(data, "test", parts, config.context),
    }
}

/// The test part is asked for. The ranker rehearses on the validation part, or, where there is
/// none, on a share of the training part.
pub(super) fn given<'a>(
    data: &'a DataSet,
    given: &GivenSplit,
    config: &SplitConfig,
    seed: u64,
) -> Protocol<'a> {
    let rehearsals = match given.validation.is_empty() {
        true => rehearse(data, &data.events, config, seed),
        false => {
            let parts = Parts { known: data.events.clone(), held: given.validation.clone() };
            vec![round(data, "validation", parts, config.context)]
        }
    };
    let known = in_order([&data.events, &given.validation]);
    let parts = Parts { known, held: given.test.clone() };
    let test = round(data, "test", parts, config.context);
    Protocol { kind: ProtocolKind::Given, rehearsals, test }
}

/// Events of several parts in order of time.
pub(super) fn in_order<'a>(parts: impl IntoIterator<Item = &'a Vec<Event>>) -> Vec<Event> {
    let mut events: Vec<Event> = parts.into_iter().flatten().copied().collect();
    events.sort_by_key(|Event { user, behaviour }| {
        (behaviour.time, *user, behaviour.item, behaviour.action)
    });
    events
}

fn rehearse<'a>(
    data: &DataSet,
    events: &[Event],
    config: &SplitConfig,
    seed: u64,
) -> Vec<Round<'a>> {
    (1..=config.random.rehearsals)
        .zip(seed.wrapping_mul(1_000).wrapping_add(1)..)
        .map(|(number, seed)| {
            let parts = hold_out(events, config.random.rehearsal_share, seed);
            round(data, &format!("rehearsal-{number}"), parts, config.context)
        })
        .collect()
}

/// Holds out a share of each user's items, rounded to the nearest; of a user with one item none.
fn hold_out(events: &[Event], share: f64, seed: u64) -> Parts {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut items: BTreeMap<UserId, BTreeSet<ItemId>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.behaviour.action.is_engagement()) {
        items.entry(event.user).or_default().insert(event.behaviour.item);
    }
    let mut held: HashSet<(UserId, ItemId)> = HashSet::new();
    for (user, items) in items {
        let mut items: Vec<ItemId> = items.into_iter().collect();
        items.shuffle(&mut random);
        let count = floor((float(items.len()) * share).round()).min(items.len() - 1);
        held.extend(items[..count].iter().map(|item| (user, *item)));
    }
    let (held, known) =
        events.iter().partition(|event| held.contains(&(event.user, event.behaviour.item)));
    Parts { known, held }
}

fn round<'a>(data: &DataSet, name: &str, parts: Parts, length: usize) -> Round<'a> {
    let Parts { known, held } = parts;
    let (before, after) = (by_user(&known), by_user(&held));
    let end = known.last().map_or(Timestamp(0), |event| Timestamp(event.behaviour.time.0 + 1));
    let cases = after.iter().filter_map(|(user, held)| {
        let known = before.get(user).map_or(&[][..], Vec::as_slice);
        split::held_out_case(data, *user, known, held, end, length)
    });
    let known = Events::Selected(known.into());
    Round {
        name: name.to_owned(),
        cases: cases.collect(),
        before: None,
        stream: known.clone(),
        learned: known,
    }
}

fn by_user(events: &[Event]) -> BTreeMap<UserId, Vec<Behaviour>> {
    let mut users: BTreeMap<UserId, Vec<Behaviour>> = BTreeMap::new();
    for event in events {
        users.entry(event.user).or_default().push(event.behaviour);
    }
    users
}
