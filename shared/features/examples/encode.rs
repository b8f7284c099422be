//! Times the encoding of one ranking request: 500 candidates, 200 behaviours, four channels, the
//! ranker's own specification. Prints sizes and the median time.
//!
//! `cargo run --release -p tributary-features --example encode`

#![allow(clippy::print_stdout)]

use std::{collections::HashMap, sync::Arc, time::Instant};

use tributary_domain::{Action, Behaviour, Event, Item, ItemId, Timestamp, UserContext, UserId};
use tributary_features::{
    Fitter, Part, Side,
    ranking::{
        Evidence, ItemRecord, RankingRecord, Statistics, UserRecord, UserView, specification,
    },
};

const CATALOGUE: u64 = 2_000;
const CANDIDATES: u64 = 500;
const BEHAVIOURS: u64 = 200;
const RUNS: usize = 201;

fn item(id: u64) -> Arc<Item> {
    let label = |kind: &str, number: u64| format!("{kind} {number}");
    Arc::new(Item {
        genres: (0..3).map(|index| label("genre", (id + index * 5) % 18)).collect(),
        tags: (0..5).map(|index| label("tag", (id * 7 + index) % 500)).collect(),
        creator: Some(id % 300 + 1),
        year: u16::try_from(1950 + id % 70).ok(),
        ..Item::bare(ItemId(id))
    })
}

fn behaviour(step: u64) -> Behaviour {
    let action = if step.is_multiple_of(2) { Action::Bookmark } else { Action::View };
    let time = Timestamp(i64::try_from(step).expect("small"));
    Behaviour { item: ItemId(step * 3 + 1), action, time, dwell_ms: 0 }
}

fn evidence(id: u64) -> Vec<Evidence> {
    let channels = ["two-tower", "collaborative", "search", "trending"];
    let found =
        channels.into_iter().filter(|channel| !(id + channel.len() as u64).is_multiple_of(3));
    found.map(|channel| Evidence { channel: channel.into(), position: 7, score: 0.3 }).collect()
}

fn main() {
    let items: HashMap<ItemId, Arc<Item>> =
        (1..=CATALOGUE).map(|id| (ItemId(id), item(id))).collect();
    let mut statistics = Statistics::new();
    let behaviours: Vec<Behaviour> = (0..BEHAVIOURS).map(behaviour).collect();
    for behaviour in &behaviours {
        statistics.record(&Event { user: UserId(1), behaviour: *behaviour });
    }
    let context = UserContext { behaviours, ..UserContext::cold(UserId(1)) };
    let lookup = |id: ItemId| items.get(&id).map(Arc::clone);
    let view = UserView::new(&context, &lookup);
    let mut fitter = Fitter::new(&specification::ranker()).expect("a tested specification");
    for item in items.values() {
        let found = evidence(item.id.0);
        let record = RankingRecord::new(&view, item, statistics.of(item.id), &found);
        fitter.observe(&record).expect("the records fit the specification");
    }
    let encoder = fitter.finish().expect("the records fit the specification");
    let cached: Vec<(Arc<Item>, Part, Vec<Evidence>)> = (1..=CANDIDATES)
        .map(|id| {
            let item = Arc::clone(&items[&ItemId(id)]);
            let part = encoder.part(Side::Item, &ItemRecord(&item));
            (item, part, evidence(id))
        })
        .collect();
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            let view = UserView::new(&context, &lookup);
            let mut rows = encoder.rows(&UserRecord(&view));
            for (item, part, found) in &cached {
                let record = RankingRecord::new(&view, item, statistics.of(item.id), found);
                rows.push(part, &record);
            }
            assert_eq!(rows.finish().rows, cached.len());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let columns = encoder.layout().ids.len() + encoder.layout().bags.len() + encoder.layout().dense;
    println!(
        "{CANDIDATES} candidates, {BEHAVIOURS} behaviours, {columns} columns: median {:?}",
        times[RUNS / 2]
    );
}
