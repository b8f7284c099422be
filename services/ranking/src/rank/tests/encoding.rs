//! What the service encodes against what the trainer encodes: whole records, one after another.

use ndarray::Array2;
use proptest::prelude::*;
use tributary_domain::{Action, Behaviour, Event, ItemChange, Timestamp};
use tributary_features::{
    Fitter, Specification,
    ranking::{Evidence, specification},
};
use tributary_feed::ItemSink;
use tributary_retrieval::{
    affinity::Affinities,
    factors::{Factors, Loss},
    vector::ItemVectors,
};

use super::*;
use crate::{
    error::LoadError,
    items::{Models, Refreshing, Rows},
};

const CATALOGUE: u64 = 10;
const CHANNELS: [&str; 3] = ["two-tower", "graph", "search"];

fn item(id: u64) -> impl Strategy<Value = Item> {
    let label = |kind: &'static str| {
        prop::collection::vec((0..4).prop_map(move |label| format!("{kind} {label}")), 0..3)
    };
    let year = prop::option::of(1900_u16..2030);
    (label("genre"), label("tag"), prop::option::of(1_u64..4), year).prop_map(
        move |(genres, tags, creator, year)| Item {
            genres,
            tags,
            creator,
            year,
            created: Some(Timestamp(1)),
            ..Item::bare(ItemId(id))
        },
    )
}

fn behaviours() -> impl Strategy<Value = Vec<Behaviour>> {
    let one = (1..=CATALOGUE + 1, prop::sample::select(Action::ALL.to_vec()));
    prop::collection::vec(one, 0..40).prop_map(|rows| {
        let behaviour = |(time, (item, action)): (i64, (u64, Action))| Behaviour {
            item: ItemId(item),
            action,
            time: Timestamp(time * 3_600_000),
            dwell_ms: 0,
        };
        (1..).zip(rows).map(behaviour).collect()
    })
}

/// For each candidate what each channel says of it: position, 0 for nothing, and score.
type Said = Vec<(u64, [(u32, f32); 3])>;

fn said() -> impl Strategy<Value = Said> {
    let one = (prop_oneof![Just(0_u32), 1_u32..500], prop::num::f32::ANY);
    let candidate = (1..=CATALOGUE + 3, [one.clone(), one.clone(), one]);
    prop::collection::vec(candidate, 0..15).prop_map(|mut candidates| {
        let mut met = std::collections::HashSet::new();
        candidates.retain(|(id, _)| met.insert(*id));
        candidates
    })
}

fn evidence(said: &[(u32, f32); 3]) -> Vec<Evidence> {
    let found = CHANNELS.iter().zip(said).filter(|(_, (position, _))| *position > 0);
    found
        .map(|(channel, (position, score))| Evidence {
            channel: (*channel).into(),
            position: *position,
            score: *score,
        })
        .collect()
}

fn columns(said: &Said) -> Vec<ChannelColumns> {
    let column = |(index, channel): (usize, &&str)| ChannelColumns {
        channel: (*channel).into(),
        positions: said.iter().map(|(_, said)| said[index].0).collect(),
        scores: said.iter().map(|(_, said)| said[index].1).collect(),
    };
    CHANNELS.iter().enumerate().map(column).collect()
}

fn counted(behaviours: &[Behaviour]) -> Statistics {
    let mut statistics = Statistics::new();
    let user = UserId(2);
    behaviours.iter().for_each(|one| statistics.record(&Event { user, behaviour: *one }));
    statistics
}

/// The built-in features with some that ask tables.
fn asking() -> Specification {
    let mut all = specification::ranker();
    let more = "
        [[feature]]
        name = \"asked_graph\"
        field = \"affinity.graph.recent\"
        kind = \"standard-number\"
        [[feature]]
        name = \"asked_factors\"
        field = \"standing.factors.liked\"
        kind = \"standard-number\"
    ";
    all.features.extend(Specification::from_toml(more).unwrap().features);
    all
}

/// The tables that are asked: vectors of the first items of the catalogue.
fn table(file: &'static str) -> Result<Vec<u8>, LoadError> {
    let ids = (1..CATALOGUE).map(ItemId).collect::<Vec<_>>();
    let vectors = Array2::from_shape_fn((ids.len(), 3), |(row, column)| {
        f32::from(u8::try_from((row * 5 + column * 3) % 7).unwrap()) / 7.0
    });
    let items = ItemVectors { ids, vectors };
    match file {
        "tables/graph_vectors.safetensors" => Ok(items.to_bytes()),
        "tables/factors.safetensors" => Ok(Factors { items, loss: Loss::default() }.to_bytes()),
        other => panic!("{other} was not asked for"),
    }
}

fn affinities() -> Affinities {
    Affinities::open(&asking(), table).unwrap()
}

/// As the trainer does it: whole records by their items, to be fitted on or encoded.
fn visit(
    items: &[Item],
    context: &UserContext,
    statistics: &Statistics,
    said: &Said,
    mut accept: impl FnMut(&RankingRecord<'_>),
) {
    let find = |id: ItemId| items.iter().find(|item| item.id == id).cloned();
    let view = UserView::new(context, &|id| find(id).map(Arc::new));
    let affinities = affinities();
    let candidates: Vec<ItemId> = said.iter().map(|(id, _)| ItemId(*id)).collect();
    let answers = affinities.ask(context, &candidates);
    let mut asked = Vec::new();
    for (place, (id, said)) in said.iter().enumerate() {
        let id = ItemId(*id);
        let item = find(id).unwrap_or_else(|| Item::bare(id));
        let found = evidence(said);
        answers.of(place, &mut asked);
        let record = RankingRecord::new(&view, &item, statistics.of(id), &found);
        accept(&record.with_affinities(&asked));
    }
}

fn fitted(specification: &Specification, items: &[Item], context: &UserContext) -> Encoder {
    let mut fitter = Fitter::new(specification).unwrap();
    let said: Said = (1..=CATALOGUE).map(|id| (id, [(1, 0.5), (0, 0.0), (9, 2.0)])).collect();
    for _ in 0..6 {
        visit(items, context, &Statistics::new(), &said, |record| fitter.observe(record).unwrap());
    }
    fitter.finish().unwrap()
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    (1..=CATALOGUE).map(item).collect::<Vec<_>>()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Cached item rows that the log changed, the user's part once, the channels' columns: the
    /// same bits as records that were put together for each candidate.
    #[test]
    fn the_service_encodes_what_the_trainer_does(
        (bundled, changed) in (items(), items()),
        (history, counts) in (behaviours(), behaviours()),
        said in said(),
    ) {
        let context = UserContext { behaviours: history, ..UserContext::cold(UserId(1)) };
        let encoder = Arc::new(fitted(&asking(), &bundled, &context));
        let rows = Arc::new(Rows::new(Arc::clone(&encoder), bundled.iter().cloned()));
        let models = Models::default();
        models.join(&rows);
        let mut now = bundled;
        now.splice(..4, changed.into_iter().take(4));
        let upserts: Vec<ItemChange> = now[..4].iter().cloned().map(ItemChange::Upserted).collect();
        Refreshing::new(models).apply(&upserts);
        let statistics = counted(&counts);
        let mut trained = encoder.batch();
        visit(&now, &context, &statistics, &said, |record| encoder.encode(record, &mut trained));
        let items = said.iter().map(|(id, _)| ItemId(*id)).collect();
        let query = Query { context, items, evidence: columns(&said) };
        let affinities = affinities();
        let answers = affinities.ask(&query.context, &query.items);
        let (served, unknown) =
            batch(&encoder, &rows.snapshot(), &statistics, &answers, &query);
        let bits = |batch: &Batch| -> Vec<u32> {
            batch.dense.iter().map(|number| number.to_bits()).collect()
        };
        prop_assert_eq!(served.rows, said.len());
        prop_assert_eq!((&served.ids, &served.bags), (&trained.ids, &trained.bags));
        prop_assert_eq!(bits(&served), bits(&trained));
        let strangers = said.iter().filter(|(id, _)| *id > CATALOGUE).count();
        prop_assert_eq!(unknown.len(), strangers);
    }
}
