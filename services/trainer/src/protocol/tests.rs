use std::collections::{BTreeMap, BTreeSet};

use tributary_domain::{Action, Behaviour, Event, ItemId, UserId};

use super::*;
use crate::data::GivenSplit;

fn event(user: u64, item: u64, time: i64) -> Event {
    let behaviour =
        Behaviour { item: ItemId(item), action: Action::View, time: Timestamp(time), dwell_ms: 0 };
    Event { user: UserId(user), behaviour }
}

/// Users 1 to 6 with 4, 8, … items, each met twice.
fn data() -> DataSet {
    let mut events = Vec::new();
    for user in 1..=6_u64 {
        for item in 1..=4 * user {
            let time = i64::try_from(user * 100 + item).unwrap();
            events.push(event(user, item, time));
            events.push(event(user, item, time + 1_000));
        }
    }
    events.sort_by_key(|event| (event.behaviour.time, event.user));
    DataSet { events, ..DataSet::default() }
}

fn random() -> SplitConfig {
    SplitConfig { kind: SplitKind::Random, ..SplitConfig::default() }
}

fn pairs(events: &[Event]) -> BTreeSet<(UserId, ItemId)> {
    events.iter().map(|event| (event.user, event.behaviour.item)).collect()
}

fn asked(round: &Round<'_>) -> BTreeSet<(UserId, ItemId)> {
    let of = |case: &Case| {
        let user = case.context.user;
        case.targets.iter().map(move |target| (user, target.item)).collect::<Vec<_>>()
    };
    round.cases.iter().flat_map(of).collect()
}

fn known(round: &Round<'_>) -> BTreeSet<(UserId, ItemId)> {
    let of = |case: &Case| {
        let user = case.context.user;
        case.context.behaviours.iter().map(move |step| (user, step.item)).collect::<Vec<_>>()
    };
    round.cases.iter().flat_map(of).collect()
}

/// What is asked for is neither learned, nor counted, nor in a context.
fn check_apart(round: &Round<'_>) {
    let asked = asked(round);
    for (what, pairs) in [
        ("learned", pairs(&round.learned)),
        ("counted", pairs(&round.stream)),
        ("known", known(round)),
    ] {
        assert!(asked.is_disjoint(&pairs), "{}: asked for what is {what}", round.name);
    }
}

#[test]
fn a_random_split_holds_out_a_share_of_each_users_items() {
    let data = data();
    let protocol = Protocol::of(&data, &random(), 7).unwrap();
    check_apart(&protocol.test);
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    asked(&protocol.test).iter().for_each(|(user, _)| *counts.entry(user.0).or_default() += 1);
    let expected: BTreeMap<u64, usize> =
        (1..=6).map(|user| (user, usize::try_from(user).unwrap())).collect();
    assert_eq!(counts, expected, "a quarter of 4, 8, …");
    let together: BTreeSet<_> =
        asked(&protocol.test).union(&pairs(&protocol.test.learned)).copied().collect();
    assert_eq!(together, pairs(&data.events), "nothing is lost");
}

#[test]
fn rehearsals_know_nothing_of_the_test_part() {
    let data = data();
    let protocol = Protocol::of(&data, &random(), 7).unwrap();
    let test = asked(&protocol.test);
    assert_eq!(protocol.rehearsals.len(), 2);
    for round in &protocol.rehearsals {
        check_apart(round);
        assert!(test.is_disjoint(&pairs(&round.learned)));
        assert!(test.is_disjoint(&asked(round)));
    }
    let [one, other] = &protocol.rehearsals[..] else { panic!("two rehearsals") };
    assert_ne!(asked(one), asked(other), "each holds out another part");
}

#[test]
fn a_seed_gives_a_split() {
    let data = data();
    let split = |seed| asked(&Protocol::of(&data, &random(), seed).unwrap().test);
    assert_eq!(split(1), split(1));
    assert_ne!(split(1), split(2));
}

#[test]
fn a_given_split_is_kept() {
    let mut data = data();
    let given = GivenSplit {
        validation: vec![event(1, 90, 5), event(9, 91, 5)],
        test: vec![event(1, 92, 6), event(1, 1, 6)],
    };
    data.given = Some(given.clone());
    let protocol = Protocol::of(&data, &SplitConfig::default(), 1).unwrap();
    assert_eq!(protocol.kind, ProtocolKind::Given);
    let pair = |user, item| (UserId(user), ItemId(item));
    assert_eq!(asked(&protocol.test), [pair(1, 92)].into(), "item 1 is known from training");
    assert!(pairs(&protocol.test.learned).contains(&pair(9, 91)));
    let [rehearsal] = &protocol.rehearsals[..] else { panic!("the validation part") };
    assert_eq!(asked(rehearsal), [pair(1, 90), pair(9, 91)].into());
    assert!(!pairs(&rehearsal.learned).contains(&pair(1, 90)));

    data.given = Some(GivenSplit { validation: Vec::new(), ..given });
    let protocol = Protocol::of(&data, &SplitConfig::default(), 1).unwrap();
    assert_eq!(protocol.rehearsals.len(), 2, "without a validation part, shares of training");
    assert!(!asked(&protocol.rehearsals[0]).contains(&pair(1, 92)));
}

#[test]
fn cases_are_thinned_evenly() {
    let data = data();
    let config = SplitConfig { cases: 2, ..random() };
    let protocol = Protocol::of(&data, &config, 7).unwrap();
    let users: Vec<u64> = protocol.test.cases.iter().map(|case| case.context.user.0).collect();
    assert_eq!(users, [1, 4]);
}

#[test]
fn nothing_to_ask_is_an_error() {
    let events = (1..=5).map(|user| event(user, 1, i64::try_from(user).unwrap())).collect();
    let data = DataSet { events, ..DataSet::default() };
    let error = Protocol::of(&data, &random(), 1).unwrap_err();
    assert!(error.to_string().contains("split.random.rehearsals"), "{error}");
}
