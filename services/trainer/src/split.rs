//! Cases: what is known of a user at a moment, and what came after.
//!
//! In a split by time two global moments part the events: models learn from what is before the
//! test cut; the ranker learns from the window between the two cuts, with recall models that saw
//! only what is before the window. Each user with events in a period gives cases there: the first
//! part of those events joins the context, as a running mesh would have it ("fresh history"), the
//! rest are the targets.

use std::collections::{BTreeMap, HashMap, HashSet};

use tributary_domain::{Action, Behaviour, Event, ItemId, Timestamp, UserContext, UserId};

use crate::{
    data::DataSet,
    number::{float, floor},
};

/// Context length of the served mesh.
pub(crate) const BEHAVIOURS: usize = 200;
/// Impressions after which the served mesh counts an item as seen.
const IMPRESSIONS_UNTIL_SEEN: usize = 5;

/// The two moments that part the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cuts {
    /// The ranker's window begins here.
    pub(crate) window: Timestamp,
    /// The test period begins here.
    pub(crate) test: Timestamp,
}

impl Cuts {
    /// Cuts after these shares of the events, which stand in order of time.
    pub(crate) fn at_shares(events: &[Event], window: f64, test: f64) -> Self {
        let moment = |share: f64| {
            let index = floor(float(events.len()) * share).min(events.len().saturating_sub(1));
            events.get(index).map_or(Timestamp(0), |event| event.behaviour.time)
        };
        Self { window: moment(window), test: moment(test) }
    }
}

/// Events before a moment.
pub(crate) fn before(events: &[Event], moment: Timestamp) -> &[Event] {
    &events[..events.partition_point(|event| event.behaviour.time < moment)]
}

/// An item that the user went on to engage with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) item: ItemId,
    pub(crate) liked: bool,
}

/// One question to the system with its right answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) context: UserContext,
    /// The moment of asking: nothing at or after it may be used.
    pub(crate) as_of: Timestamp,
    /// Items engaged with afterwards, inside the period, not seen before; in order of time.
    pub(crate) targets: Vec<Target>,
}

/// Which cases to make of a period.
#[derive(Debug, Clone)]
pub(crate) struct Period<'a> {
    pub(crate) from: Timestamp,
    /// First moment after the period; `None` is the end of the data.
    pub(crate) until: Option<Timestamp>,
    /// Shares of what a user did in the period, impressions apart, after which to ask, one case for
    /// each.
    pub(crate) ask_after: &'a [f64],
    /// Behaviours that a context holds at most.
    pub(crate) length: usize,
}

impl Period<'_> {
    fn contains(&self, time: Timestamp) -> bool {
        time >= self.from && self.until.is_none_or(|until| time < until)
    }
}

/// The cases of a period in order of asking, ties by user. A case has at least one behaviour of
/// the period in its context and at least one target.
pub(crate) fn cases(data: &DataSet, period: &Period<'_>) -> Vec<Case> {
    let mut histories: BTreeMap<UserId, Vec<Behaviour>> = BTreeMap::new();
    for event in &data.events {
        let history = histories.entry(event.user).or_default();
        if period.until.is_none_or(|until| event.behaviour.time < until) {
            history.push(event.behaviour);
        }
    }
    let mut cases: Vec<Case> = histories
        .iter()
        .flat_map(|(user, history)| user_cases(data, *user, history, period))
        .collect();
    cases.sort_by_key(|case| (case.as_of, case.context.user));
    cases
}

fn user_cases(
    data: &DataSet,
    user: UserId,
    history: &[Behaviour],
    period: &Period<'_>,
) -> Vec<Case> {
    let start = history.partition_point(|behaviour| !period.contains(behaviour.time));
    let fresh: Vec<usize> =
        (start..history.len()).filter(|index| is_behaviour(&history[*index])).collect();
    let count =
        |share: f64| floor((float(fresh.len()) * share).ceil()).clamp(1, fresh.len().max(1));
    let mut positions: Vec<usize> = period
        .ask_after
        .iter()
        .filter_map(|share| fresh.get(count(*share) - 1).map(|index| index + 1))
        .collect();
    positions.dedup();
    let case = |position: &usize| case(data, user, history, *position, period.length);
    positions.iter().filter_map(case).collect()
}

/// Being shown an item is nothing that the user did.
fn is_behaviour(behaviour: &Behaviour) -> bool {
    behaviour.action != Action::Impression
}

/// The case whose context is the first `asked` behaviours.
fn case(
    data: &DataSet,
    user: UserId,
    history: &[Behaviour],
    asked: usize,
    length: usize,
) -> Option<Case> {
    let (known, later) = history.split_at_checked(asked)?;
    let context = context_of(data, user, known, length);
    let targets = targets(&context, later);
    // A moment later than the last known behaviour would let in what others did at the same time
    // as the targets.
    let as_of = known.last()?.time;
    (!targets.is_empty()).then_some(Case { context, as_of, targets })
}

/// The case of a user whose items were divided without regard to time; asked at `as_of`. `None`
/// where nothing new was held out.
pub(crate) fn held_out_case(
    data: &DataSet,
    user: UserId,
    known: &[Behaviour],
    held: &[Behaviour],
    as_of: Timestamp,
    length: usize,
) -> Option<Case> {
    let context = context_of(data, user, known, length);
    let targets = targets(&context, held);
    (!targets.is_empty()).then_some(Case { context, as_of, targets })
}

/// What encoders read of the context that the mesh would hold after these behaviours, oldest
/// first. What was seen is left out: no feature is made of it, and a training asks for millions of
/// these.
pub(crate) fn context(data: &DataSet, user: UserId, known: &[Behaviour]) -> UserContext {
    let behaviours = latest(known, BEHAVIOURS);
    UserContext { profile: data.profile(user).cloned(), behaviours, ..UserContext::cold(user) }
}

fn latest(known: &[Behaviour], length: usize) -> Vec<Behaviour> {
    let behaviours = || known.iter().filter(|step| is_behaviour(step));
    let before = behaviours().count().saturating_sub(length);
    behaviours().skip(before).copied().collect()
}

pub(crate) fn context_of(
    data: &DataSet,
    user: UserId,
    known: &[Behaviour],
    length: usize,
) -> UserContext {
    UserContext {
        user,
        profile: data.profile(user).cloned(),
        behaviours: latest(known, length),
        seen: seen(known),
        version: 1,
    }
}

/// Items acted on, hidden, or shown too often; ascending.
fn seen(known: &[Behaviour]) -> Vec<ItemId> {
    let (acted, shown): (Vec<&Behaviour>, Vec<&Behaviour>) =
        known.iter().partition(|step| is_behaviour(step));
    let mut times: HashMap<ItemId, usize> = HashMap::new();
    shown.iter().for_each(|step| *times.entry(step.item).or_default() += 1);
    let often = times.into_iter().filter(|(_, times)| *times >= IMPRESSIONS_UNTIL_SEEN);
    let mut seen: Vec<ItemId> =
        acted.iter().map(|step| step.item).chain(often.map(|(item, _)| item)).collect();
    seen.sort_unstable();
    seen.dedup();
    seen
}

fn targets(context: &UserContext, later: &[Behaviour]) -> Vec<Target> {
    let liked: HashSet<ItemId> = later
        .iter()
        .filter(|behaviour| behaviour.action.is_liking())
        .map(|behaviour| behaviour.item)
        .collect();
    let mut met = HashSet::new();
    later
        .iter()
        .filter(|behaviour| behaviour.action.is_engagement() && !context.has_seen(behaviour.item))
        .filter(|behaviour| met.insert(behaviour.item))
        .map(|behaviour| Target { item: behaviour.item, liked: liked.contains(&behaviour.item) })
        .collect()
}

#[cfg(test)]
mod tests {
    use tributary_domain::Action;

    use super::*;

    fn event(user: u64, item: u64, time: i64, action: Action) -> Event {
        let behaviour =
            Behaviour { item: ItemId(item), action, time: Timestamp(time), dwell_ms: 0 };
        Event { user: UserId(user), behaviour }
    }

    fn data() -> DataSet {
        let events = [
            (1, 10, 1, Action::View),
            (2, 10, 2, Action::View),
            (1, 11, 5, Action::View),
            (1, 12, 6, Action::Bookmark),
            (1, 10, 7, Action::Bookmark),
            (1, 13, 8, Action::Bookmark),
            (3, 14, 9, Action::View),
        ];
        let events = events.map(|(user, item, time, action)| event(user, item, time, action));
        DataSet { events: events.to_vec(), ..DataSet::default() }
    }

    #[test]
    fn first_half_of_the_period_is_context_and_new_items_of_the_rest_are_targets() {
        let period =
            Period { from: Timestamp(5), until: None, ask_after: &[0.5], length: BEHAVIOURS };
        let cases = cases(&data(), &period);
        assert_eq!(cases.len(), 1, "users 2 and 3 have no target");
        let case = &cases[0];
        assert_eq!(case.as_of, Timestamp(6));
        let known: Vec<u64> = case.context.behaviours.iter().map(|step| step.item.0).collect();
        assert_eq!(known, [10, 11, 12]);
        assert_eq!(case.targets, [Target { item: ItemId(13), liked: true }], "10 was seen");
    }

    #[test]
    fn nothing_after_the_period_is_used() {
        let period = Period {
            from: Timestamp(5),
            until: Some(Timestamp(7)),
            ask_after: &[0.5],
            length: BEHAVIOURS,
        };
        let cases = cases(&data(), &period);
        let targets: Vec<u64> = cases[0].targets.iter().map(|target| target.item.0).collect();
        assert_eq!(targets, [12]);
    }

    #[test]
    fn an_item_shown_and_then_clicked_stays_a_target() {
        let events = [
            (20, 1, Action::Click),
            (30, 2, Action::Impression),
            (31, 3, Action::Impression),
            (21, 4, Action::Hide),
            (30, 5, Action::Click),
            (31, 6, Action::Click),
        ];
        let events = events.map(|(item, time, action)| event(1, item, time, action));
        let data = DataSet { events: events.to_vec(), ..DataSet::default() };
        let period =
            Period { from: Timestamp(1), until: None, ask_after: &[0.5], length: BEHAVIOURS };
        let cases = cases(&data, &period);
        let Case { context, as_of, targets } = &cases[0];
        assert_eq!(*as_of, Timestamp(4), "two of four deeds, impressions not counted");
        let known: Vec<u64> = context.behaviours.iter().map(|step| step.item.0).collect();
        assert_eq!(known, [20, 21], "no impression is a behaviour");
        assert_eq!(context.seen, [ItemId(20), ItemId(21)]);
        let targets: Vec<u64> = targets.iter().map(|target| target.item.0).collect();
        assert_eq!(targets, [30, 31]);
    }

    #[test]
    fn items_are_seen_when_acted_on_hidden_or_shown_five_times() {
        let shown = |item, times| (0..times).map(move |time| (item, time, Action::Impression));
        let rows = [(3, 1, Action::Hide), (1, 2, Action::View)];
        let known: Vec<Behaviour> = shown(4, 4)
            .chain(shown(5, 5))
            .chain(rows)
            .map(|(item, time, action)| event(1, item, time, action).behaviour)
            .collect();
        assert_eq!(seen(&known), [ItemId(1), ItemId(3), ItemId(5)]);
    }

    #[test]
    fn cuts_fall_after_their_share_of_events() {
        let events = data().events;
        let cuts = Cuts::at_shares(&events, 0.3, 0.6);
        assert_eq!((before(&events, cuts.window).len(), before(&events, cuts.test).len()), (2, 4));
    }
}
