//! Training against serving, over random users, candidates, counts and findings.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::{Batch, Part, Specification};

const CATALOGUE: u64 = 12;
const CHANNELS: [&str; 4] = ["two-tower", "collaborative", "graph", "not in any specification"];

fn label(kind: &'static str) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(0..5, 0..4)
        .prop_map(move |labels| labels.iter().map(|label| format!("{kind} {label}")).collect())
}

fn attributes(id: u64) -> impl Strategy<Value = Item> {
    let created = prop::option::of(0_i64..100 * DAY);
    let numbers = (prop::option::of(0_u64..5), prop::option::of(any::<u16>()), created);
    (label("genre"), label("tag"), numbers).prop_map(
        move |(genres, tags, (creator, year, created))| Item {
            genres,
            tags,
            creator,
            year,
            created: created.map(Timestamp),
            ..Item::bare(ItemId(id))
        },
    )
}

fn catalogue() -> impl Strategy<Value = Vec<Item>> {
    (1..=CATALOGUE).map(attributes).collect::<Vec<_>>()
}

fn actions() -> impl Strategy<Value = Vec<Behaviour>> {
    let one = (1..=CATALOGUE + 2, prop::sample::select(Action::ALL.to_vec()), 0_i64..100);
    prop::collection::vec(one, 0..80).prop_map(|mut rows| {
        rows.sort_by_key(|row| row.2);
        rows.into_iter().map(|(item, action, day)| behaviour(item, action, day)).collect()
    })
}

fn user() -> impl Strategy<Value = UserContext> {
    let profile = (prop::option::of(any::<u8>()), any::<bool>(), "[a-c]?");
    (actions(), prop::option::of(profile)).prop_map(|(behaviours, profile)| UserContext {
        profile: profile.map(|(age, female, occupation)| UserProfile {
            age,
            gender: female.then_some(Gender::Female),
            occupation,
            ..context().profile.unwrap()
        }),
        behaviours,
        ..UserContext::cold(UserId(1))
    })
}

fn findings() -> impl Strategy<Value = Vec<Evidence>> {
    let one = (any::<bool>(), 0_u32..600, prop::num::f32::ANY);
    prop::collection::vec(one, CHANNELS.len()).prop_map(|found| {
        let found = CHANNELS.iter().zip(found).filter(|(_, (present, ..))| *present);
        found
            .map(|(channel, (_, position, score))| Evidence {
                channel: (*channel).into(),
                position,
                score,
            })
            .collect()
    })
}

/// All that one request is answered from.
#[derive(Debug, Clone)]
struct Request {
    user: UserContext,
    catalogue: Vec<Item>,
    counted: Vec<Behaviour>,
    /// Candidates, some of which the catalogue does not know, with what the channels said.
    candidates: Vec<(u64, Vec<Evidence>)>,
}

fn request() -> impl Strategy<Value = Request> {
    let candidates = prop::collection::vec((1..=CATALOGUE + 3, findings()), 0..20);
    (user(), catalogue(), actions(), candidates).prop_map(
        |(user, catalogue, counted, candidates)| Request { user, catalogue, counted, candidates },
    )
}

impl Request {
    fn item(&self, id: u64) -> Option<&Item> {
        self.catalogue.iter().find(|item| item.id.0 == id)
    }

    fn view(&self) -> UserView {
        UserView::new(&self.user, &|id| self.item(id.0).cloned().map(Arc::new))
    }

    fn statistics(&self) -> Statistics {
        let mut statistics = Statistics::new();
        let user = UserId(1);
        self.counted
            .iter()
            .for_each(|behaviour| statistics.record(&Event { user, behaviour: *behaviour }));
        statistics
    }

    /// The candidates with all that their records need, one after another.
    fn visit(&self, mut accept: impl FnMut(&RankingRecord<'_>)) {
        let (view, statistics) = (self.view(), self.statistics());
        for (id, findings) in &self.candidates {
            let bare = Item::bare(ItemId(*id));
            let item = self.item(*id).unwrap_or(&bare);
            accept(&RankingRecord::new(&view, item, statistics.of(item.id), findings));
        }
    }

    /// As training does it: whole records, one batch.
    fn trained(&self, encoder: &Encoder) -> Batch {
        let mut batch = encoder.batch();
        self.visit(|record| encoder.encode(record, &mut batch));
        batch
    }

    /// As serving does it: item parts from a cache that was filled before, the user once, counts
    /// that went through the bundle, and an encoder that did.
    fn served(&self, encoder: &Encoder) -> Batch {
        let encoder = &Encoder::from_json(&encoder.to_json()).unwrap();
        let cache: HashMap<ItemId, (Arc<Item>, Part)> = self
            .catalogue
            .iter()
            .map(|item| {
                let part = encoder.part(Side::Item, &ItemRecord(item));
                (item.id, (Arc::new(item.clone()), part))
            })
            .collect();
        let statistics = Statistics::from_bytes(&self.statistics().to_bytes()).unwrap();
        let view = UserView::new(&self.user, &|id| cache.get(&id).map(|row| Arc::clone(&row.0)));
        let mut rows = encoder.rows(&UserRecord(&view));
        for (id, findings) in &self.candidates {
            let id = ItemId(*id);
            let bare = || {
                let item = Arc::new(Item::bare(id));
                let part = encoder.part(Side::Item, &ItemRecord(&item));
                (item, part)
            };
            let (item, part) = cache.get(&id).cloned().unwrap_or_else(bare);
            rows.push(&part, &RankingRecord::new(&view, &item, statistics.of(id), findings));
        }
        rows.finish()
    }
}

fn bits(batch: &Batch) -> (usize, &[i64], &[Vec<i64>], Vec<u32>) {
    let dense = batch.dense.iter().map(|number| number.to_bits()).collect();
    (batch.rows, &batch.ids, &batch.bags, dense)
}

/// The ranker's specification with the kinds that it does not have, and fields of every source.
fn everything() -> Specification {
    let more = "
        [[feature]]
        name = \"gender_flags\"
        field = \"user.gender\"
        kind = \"one-hot\"
        values = [\"female\", \"male\"]
        [[feature]]
        name = \"creator_flags\"
        field = \"item.creator\"
        kind = \"one-hot\"
        values = [1, 2]
        [[feature]]
        name = \"hidden\"
        field = \"history.hidden\"
        kind = \"item-sequence\"
        length = 3
        table = \"item\"
        dimension = 16
        [[feature]]
        name = \"raw_score\"
        field = \"evidence.graph.score\"
        kind = \"hash-bucket\"
        buckets = 1000003
        [[feature]]
        name = \"odd\"
        field = \"evidence.not in any specification.position\"
        kind = \"boundaries\"
        bounds = [1, 10, 100]
    ";
    let own = Specification::from_toml(more).unwrap().features;
    let mut all = specification::ranker();
    all.features.retain(|feature| feature.table != "item" || feature.dimension == 16);
    all.features.extend(own);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Counts, views and records go two ways and end in the same bits.
    #[test]
    fn training_and_serving_encode_the_same_bits(fitted in request(), asked in request()) {
        for specification in [everything(), specification::ranker()] {
            let mut fitter = Fitter::new(&specification).unwrap();
            fitted.visit(|record| fitter.observe(record).unwrap());
            let encoder = fitter.finish().unwrap();
            let (trained, served) = (asked.trained(&encoder), asked.served(&encoder));
            prop_assert_eq!(trained.rows, asked.candidates.len());
            prop_assert_eq!(bits(&trained), bits(&served));
        }
    }
}
