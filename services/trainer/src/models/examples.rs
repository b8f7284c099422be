//! The examples of the recall networks: users as of just before each of their engagements, and the
//! items that they went on to.
//!
//! Rows of users are encoded when a batch asks for them: a million examples are a million pairs of
//! numbers, and the histories, which are kept once.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use ndarray::Array2;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tributary_domain::{Behaviour, Event, Item, ItemId, UserContext, UserId};
use tributary_features::{
    Batch, Encoder, FeatureError, Fitter, Specification,
    ranking::{ItemRecord, UserRecord, UserView},
};
use tributary_network::{Inputs, Positives, RecallExamples, Source};

use super::{ModelError, ranker::happened};
use crate::{
    config::{ExamplesConfig, Known},
    data::DataSet,
    encoding::inputs,
    interactions::position,
    number::{float, float32, floor},
    progress::Step,
    split::{self, BEHAVIOURS, Target},
};

/// An id that no data set has.
const STRANGER: ItemId = ItemId(u64::MAX);

/// Rows that one task encodes.
const ROWS: usize = 32;

/// What a recall network learns from and how.
pub(crate) struct Plan<'a, N> {
    pub(crate) data: &'a DataSet,
    /// The events before the cut, in order of time.
    pub(crate) events: &'a [Event],
    /// As of the cut.
    pub(crate) catalogue: &'a [Item],
    pub(crate) user_specification: &'a Specification,
    pub(crate) item_specification: &'a Specification,
    pub(crate) examples: &'a ExamplesConfig,
    pub(crate) network: &'a N,
    /// The state of an interrupted training of the same plan.
    pub(crate) checkpoint: Option<&'a [u8]>,
    /// Told of the examples that were looked at.
    pub(crate) step: &'a Step,
}

/// Users in order of their ids, each with what one engaged with, in order of time.
pub(crate) type Histories = Vec<(UserId, Vec<Behaviour>)>;

/// The engagements among events.
pub(crate) fn histories(events: &[Event]) -> Histories {
    let mut histories: BTreeMap<UserId, Vec<Behaviour>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.behaviour.action.is_engagement()) {
        histories.entry(event.user).or_default().push(event.behaviour);
    }
    histories.into_iter().collect()
}

/// The user as the towers see one; they have no field that needs the items' attributes.
pub(crate) fn view(context: &UserContext) -> UserView {
    UserView::new(context, &|_| None)
}

/// The encoders of both sides; they share the tables that both specifications name.
pub(crate) struct Encoders {
    pub(crate) user: Encoder,
    pub(crate) item: Encoder,
}

impl Encoders {
    /// The item's table knows the items that somebody engaged with; the others share the row of
    /// unknown items, since a row of their own would never be trained. `names` are the encoders'.
    pub(crate) fn fit<N>(
        plan: &Plan<'_, N>,
        histories: &Histories,
        (user, item): (&'static str, &'static str),
    ) -> Result<Self, ModelError> {
        let engaged: HashSet<ItemId> =
            histories.iter().flat_map(|(_, history)| history).map(|step| step.item).collect();
        let items = plan.catalogue.iter().filter(|item| engaged.contains(&item.id));
        let item = fit_items(plan.item_specification, items).map_err(unfit(item))?;
        let user = fit_users(plan, histories, &item).map_err(unfit(user))?;
        Ok(Self { user, item })
    }

    pub(crate) fn items(&self, catalogue: &[Item]) -> Inputs {
        inputs(&self.item, &[self.encode(catalogue.iter())])
    }

    /// The rows of the catalogue, and behind them each once more as that of an item whose id nobody
    /// knows.
    pub(crate) fn items_and_twins(&self, catalogue: &[Item]) -> Inputs {
        let stranger = |item: &Item| Item { id: STRANGER, ..item.clone() };
        let twins: Vec<Item> = catalogue.iter().map(stranger).collect();
        inputs(&self.item, &[self.encode(catalogue.iter()), self.encode(twins.iter())])
    }

    fn encode<'a>(&self, items: impl Iterator<Item = &'a Item>) -> Batch {
        let mut batch = self.item.batch();
        items.for_each(|item| self.item.encode(&ItemRecord(item), &mut batch));
        batch
    }
}

fn unfit(encoder: &'static str) -> impl Fn(FeatureError) -> ModelError {
    move |source| ModelError::Features { encoder, source: source.into() }
}

fn fit_items<'a>(
    specification: &Specification,
    items: impl Iterator<Item = &'a Item>,
) -> Result<Encoder, FeatureError> {
    let mut fitter = Fitter::new(specification)?;
    for item in items {
        fitter.observe(&ItemRecord(item))?;
    }
    fitter.finish()
}

fn fit_users<N>(
    plan: &Plan<'_, N>,
    histories: &Histories,
    items: &Encoder,
) -> Result<Encoder, FeatureError> {
    let mut fitter = Fitter::new(plan.user_specification)?.sharing(items);
    for (user, history) in histories {
        let view = view(&split::context(plan.data, *user, history));
        fitter.observe(&UserRecord(&view))?;
    }
    fitter.finish()
}

/// One example for each engagement after a user's first: the user as of just before it, and the
/// catalogue's row of the item. Under [`Known::Others`] the first is one too.
#[derive(Clone)]
pub(crate) struct Examples<'a> {
    data: &'a DataSet,
    encoder: &'a Encoder,
    histories: &'a Histories,
    /// Positions of the user and of the engagement in its history.
    places: Vec<(usize, usize)>,
    /// The user of each example, as [`Positives`] have it.
    users: Vec<u32>,
    targets: Vec<u32>,
    /// All that each user engaged with, as rows of the catalogue.
    positives: Vec<Vec<u32>>,
    /// Share of the examples whose target is each row.
    frequencies: Vec<f32>,
    known: Known,
}

impl<'a> Examples<'a> {
    /// The examples of a plan; `encoder` is that of its users.
    pub(crate) fn new<N>(
        plan: &Plan<'a, N>,
        encoder: &'a Encoder,
        histories: &'a Histories,
    ) -> Self {
        let rows: Vec<Vec<Option<u32>>> =
            histories.par_iter().map(|(_, history)| rows(plan.catalogue, history)).collect();
        let stride = stride(plan.examples, histories);
        let known = plan.examples.known;
        let beginning = match known {
            Known::Before => 1,
            Known::Others => 0,
        };
        let (mut places, mut users, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        for ((number, rows), user) in rows.iter().enumerate().zip(0_u32..) {
            let first = rows.len().saturating_sub(plan.examples.per_user).max(beginning);
            for place in (first..rows.len()).rev().step_by(stride) {
                let Some(row) = rows[place] else { continue };
                places.push((number, place));
                users.push(user);
                targets.push(row);
            }
        }
        let positives = rows.iter().map(|rows| rows.iter().flatten().copied().collect()).collect();
        let frequencies = frequencies(&targets, plan.catalogue.len());
        let data = plan.data;
        Self { data, encoder, histories, places, users, targets, positives, frequencies, known }
    }

    /// With `share` of the examples aimed at the twins of their items, which stand behind the rows of
    /// the catalogue ([`Encoders::items_and_twins`]): the same ones for the same examples. Whoever
    /// wants an item wants its twin.
    pub(crate) fn with_twins(mut self, share: f32) -> Self {
        let rows = self.frequencies.len();
        let twin = |row: u32| u32::try_from(position(row) + rows).expect("catalogues are smaller");
        for (number, target) in (0_u64..).zip(&mut self.targets) {
            if is_drawn(number, share) {
                *target = twin(*target);
            }
        }
        for wanted in &mut self.positives {
            let twins: Vec<u32> = wanted.iter().map(|row| twin(*row)).collect();
            wanted.extend(twins);
        }
        self.frequencies = frequencies(&self.targets, 2 * rows);
        self
    }

    /// As the networks take them, with the rows of the catalogue.
    pub(crate) fn of<'e>(&'e self, items: &'e Inputs) -> RecallExamples<'e> {
        RecallExamples {
            users: self,
            items,
            targets: &self.targets,
            frequencies: &self.frequencies,
            positives: Some(Positives { users: &self.users, items: &self.positives }),
            objectives: None,
        }
    }

    /// How much each example counts for the objectives of these names: one where the engagement is
    /// what the objective is about, `[examples, objectives]`. `None` without objectives.
    pub(crate) fn weights(&self, objectives: &[&str]) -> Result<Option<Array2<f32>>, ModelError> {
        if objectives.is_empty() {
            return Ok(None);
        }
        let mut weights = Array2::zeros((self.places.len(), objectives.len()));
        for (mut weights, (number, place)) in weights.rows_mut().into_iter().zip(&self.places) {
            let step = &self.histories[*number].1[*place];
            let outcome = Target { item: step.item, liked: step.action.is_liking() };
            for (weight, objective) in weights.iter_mut().zip(objectives) {
                *weight = if happened(objective, Some(&outcome))? { 1.0 } else { 0.0 };
            }
        }
        Ok(Some(weights))
    }

    fn encode(&self, row: usize, batch: &mut Batch) {
        let (number, place) = self.places[row];
        let (user, history) = &self.histories[number];
        let known = match self.known {
            Known::Before => Cow::Borrowed(&history[place.saturating_sub(BEHAVIOURS)..place]),
            Known::Others => Cow::Owned(others(*user, history, place)),
        };
        let view = view(&split::context(self.data, *user, &known));
        self.encoder.encode(&UserRecord(&view), batch);
    }
}

impl Source for Examples<'_> {
    fn rows(&self) -> usize {
        self.places.len()
    }

    fn select(&self, rows: &[usize]) -> Inputs {
        let batches: Vec<Batch> = rows
            .par_chunks(ROWS)
            .map(|rows| {
                let mut batch = self.encoder.batch();
                rows.iter().for_each(|row| self.encode(*row, &mut batch));
                batch
            })
            .collect();
        inputs(self.encoder, &batches)
    }
}

/// The least share of a user's other items that an example knows.
const LEAST_KNOWN: f64 = 0.5;

/// At least half of what a user engaged with beside the item at `place`, in an order by chance,
/// but the same whenever it is asked for.
fn others(user: UserId, history: &[Behaviour], place: usize) -> Vec<Behaviour> {
    let seed = user.0.rotate_left(32) ^ u64::try_from(place).expect("memory has fewer items");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let target = history[place].item;
    let mut others: Vec<Behaviour> =
        history.iter().filter(|step| step.item != target).copied().collect();
    others.shuffle(&mut random);
    let share = random.random_range(LEAST_KNOWN..=1.0);
    others.truncate(floor((float(others.len()) * share).ceil()));
    others
}

/// The catalogue's rows of the items of a history.
fn rows(catalogue: &[Item], history: &[Behaviour]) -> Vec<Option<u32>> {
    let row = |step: &Behaviour| {
        let row = catalogue.binary_search_by_key(&step.item, |item| item.id).ok()?;
        u32::try_from(row).ok()
    };
    history.iter().map(row).collect()
}

/// True for `share` of the numbers, spread evenly.
fn is_drawn(number: u64, share: f32) -> bool {
    const PARTS: u16 = 10_000;
    let part = tributary_features::bucket(&number.to_le_bytes(), PARTS.into());
    u16::try_from(part).is_ok_and(|part| f32::from(part) < share * f32::from(PARTS))
}

/// Every how manieth engagement is an example, so that there are not more than allowed.
fn stride(config: &ExamplesConfig, histories: &Histories) -> usize {
    let total: usize = histories.iter().map(|(_, history)| history.len().saturating_sub(1)).sum();
    total.div_ceil(config.maximum.max(1)).max(1)
}

fn frequencies(targets: &[u32], rows: usize) -> Vec<f32> {
    let mut counts = vec![0_usize; rows];
    for target in targets {
        counts[position(*target)] += 1;
    }
    counts.iter().map(|count| float32(*count) / float32(targets.len())).collect()
}

#[cfg(test)]
mod tests {
    use tributary_domain::{Action, Timestamp};
    use tributary_features::{Vocabulary, ranking::specification};
    use tributary_network::TwoTowerConfig;

    use super::*;

    /// User 7 engages with items 1 to 5 in turn, user 8 with 3 and 9, which is in no catalogue,
    /// and again 3.
    fn data() -> DataSet {
        let deeds = [(7, 1), (7, 2), (8, 3), (7, 3), (8, 9), (7, 4), (7, 5), (8, 3)];
        let events = deeds.iter().zip(0..).map(|(&(user, item), time)| {
            let action = if item == 4 { Action::Bookmark } else { Action::View };
            let behaviour =
                Behaviour { item: ItemId(item), action, time: Timestamp(time), dwell_ms: 0 };
            Event { user: UserId(user), behaviour }
        });
        DataSet { events: events.collect(), ..DataSet::default() }
    }

    fn check(config: ExamplesConfig, test: impl FnOnce(&Examples<'_>, &Encoder)) {
        let data = data();
        let catalogue: Vec<Item> = (1..=5).map(|id| Item::bare(ItemId(id))).collect();
        let plan = Plan {
            data: &data,
            events: &data.events,
            catalogue: &catalogue,
            user_specification: &specification::multi_interest_user(),
            item_specification: &specification::multi_interest_item(),
            examples: &config,
            network: &TwoTowerConfig::default(),
            checkpoint: None,
            step: &Step::start("a test"),
        };
        let histories = histories(plan.events);
        let encoders = Encoders::fit(&plan, &histories, ("user", "item")).unwrap();
        test(&Examples::new(&plan, &encoders.user, &histories), &encoders.item);
    }

    #[test]
    fn an_example_knows_what_was_before_it_and_nothing_else() {
        check(ExamplesConfig::default(), |examples, items| {
            assert_eq!(examples.targets, [4, 3, 2, 1, 2], "the latest of a user first");
            assert_eq!(examples.users, [0, 0, 0, 0, 1]);
            assert_eq!(examples.positives, [vec![0, 1, 2, 3, 4], vec![2, 2]]);
            let rows = examples.select(&[0, 1, 2, 3, 4]);
            let Some(Vocabulary::Ids(ids)) = items.vocabulary("item") else { panic!("no items") };
            let known = |row: usize| {
                let known = rows.bags[0].row(row).into_iter().filter(|id| **id > 1);
                known.map(|id| ids[usize::try_from(*id).unwrap() - 2]).collect::<Vec<u64>>()
            };
            let expected: [&[u64]; 5] = [&[4, 3, 2, 1], &[3, 2, 1], &[2, 1], &[1], &[3]];
            for (row, expected) in expected.into_iter().enumerate() {
                assert_eq!(known(row), expected, "example {row}");
            }
        });
    }

    #[test]
    fn a_share_of_the_examples_is_aimed_at_twins() {
        check(ExamplesConfig::default(), |examples, _| {
            let plain = (examples.targets.clone(), examples.positives.clone());
            let none = examples.clone().with_twins(0.0);
            assert_eq!(none.targets, plain.0);
            let all = examples.clone().with_twins(1.0);
            assert_eq!(all.targets, [9, 8, 7, 6, 7]);
            assert_eq!(all.positives, [vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9], vec![2, 2, 7, 7]]);
            let shares = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.4, 0.2, 0.2];
            assert_eq!(all.frequencies, shares);
        });
        let drawn = (0..100_000).filter(|number| is_drawn(*number, 0.1)).count();
        // Four standard deviations around 10,000.
        assert!((9_620..10_380).contains(&drawn), "{drawn}");
    }

    #[test]
    fn without_an_order_an_example_knows_half_of_the_others_or_more() {
        let config = ExamplesConfig { known: Known::Others, ..ExamplesConfig::default() };
        check(config, |examples, items| {
            assert_eq!(examples.targets, [4, 3, 2, 1, 0, 2, 2], "item 9 is in no catalogue");
            let rows = examples.select(&[0, 1, 2, 3, 4, 5, 6]);
            let Some(Vocabulary::Ids(ids)) = items.vocabulary("item") else { panic!("no items") };
            for (row, target) in examples.targets[..5].iter().enumerate() {
                let known = rows.bags[0].row(row).into_iter().filter(|id| **id > 1);
                let known: HashSet<u64> =
                    known.map(|id| ids[usize::try_from(*id).unwrap() - 2]).collect();
                assert!((2..=4).contains(&known.len()), "example {row}: {known:?}");
                assert!(!known.contains(&u64::from(target + 1)), "example {row}: {known:?}");
            }
            for row in [5, 6] {
                let known = rows.bags[0].row(row).into_iter().filter(|id| **id > 1).count();
                assert_eq!(known, 0, "user 8 has only item 9 beside the target, unknown here");
            }
        });
    }

    #[test]
    fn rows_are_the_same_whenever_they_are_asked_for() {
        check(ExamplesConfig::default(), |examples, _| {
            let all = examples.select(&(0..100).map(|row| row * 3 % 5).collect::<Vec<_>>());
            for row in 0..100 {
                assert_eq!(all.select(&[row]), examples.select(&[row * 3 % 5]));
            }
        });
    }

    #[test]
    fn examples_are_thinned_out_to_the_maximum() {
        check(ExamplesConfig { maximum: 3, ..ExamplesConfig::default() }, |examples, _| {
            assert_eq!(examples.targets, [4, 2, 2]);
        });
        check(ExamplesConfig { per_user: 1, ..ExamplesConfig::default() }, |examples, _| {
            assert_eq!(examples.targets, [4, 2]);
        });
    }

    #[test]
    fn objectives_count_what_they_are_about() {
        check(ExamplesConfig::default(), |examples, _| {
            let weights = examples.weights(&["liked", "watched"]).unwrap().unwrap();
            assert_eq!(weights.column(0).to_vec(), [0.0, 1.0, 0.0, 0.0, 0.0]);
            assert_eq!(weights.column(1).to_vec(), [1.0; 5]);
            assert!(examples.weights(&[]).unwrap().is_none());
            assert!(examples.weights(&["bought"]).is_err());
        });
    }
}
