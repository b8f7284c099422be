//! Where an item lies that the training did not know: by its attributes, among those like it.

use std::{env, fs, path::Path};

use tributary_domain::{Item, ItemId};
use tributary_features::{Encoder, ranking::ItemRecord};
use tributary_inference::{InferenceConfig, Runtime, Session};
use tributary_retrieval::vector::ItemVectors;
use tributary_trainer::{config::Config, steps};

use crate::{
    formats::{self, ITEMS},
    training::{prepared, quick},
};

const TOWERS: [(&str, &str); 2] = [
    ("item_tower", "tables/item_vectors.safetensors"),
    ("multi_interest_item", "tables/multi_interest_vectors.safetensors"),
];

/// The vectors that a folder's tower gives to items whose ids it does not know.
fn cold_vectors(folder: &Path, tower: &str, items: &[Item]) -> Vec<Vec<f32>> {
    let encoder = fs::read_to_string(folder.join(format!("features/{tower}.json"))).unwrap();
    let encoder = Encoder::from_json(&encoder).unwrap();
    let network = fs::read(folder.join(format!("models/{tower}.onnx"))).unwrap();
    let config = InferenceConfig::default();
    let runtime = Runtime::load(&config).unwrap();
    let mut session = Session::load(&runtime, &network, &config).unwrap();
    let mut batch = encoder.batch();
    for item in items {
        let stranger = Item { id: ItemId(u64::MAX - item.id.0), ..item.clone() };
        encoder.encode(&ItemRecord(&stranger), &mut batch);
    }
    let outputs = session.run(&batch.into_tensors()).unwrap();
    let vectors = outputs["vector"].as_f32().unwrap();
    vectors.outer_iter().map(|row| row.iter().copied().collect()).collect()
}

fn known_vectors(folder: &Path, table: &str) -> Vec<(ItemId, Vec<f32>)> {
    let table = ItemVectors::from_bytes(&fs::read(folder.join(table)).unwrap()).unwrap();
    let rows = table.vectors.outer_iter().map(|row| row.to_vec());
    table.ids.into_iter().zip(rows).collect()
}

fn product(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

#[test]
fn a_new_item_lies_among_those_with_its_attributes() {
    let folder = tempfile::tempdir().unwrap();
    let work = prepared(&folder);
    let mut config = Config { refit: false, ..quick() };
    config.examples.cold_share = 0.1;
    steps::train(&work, &config).unwrap();
    let models = work.final_models();
    // Ids apart from all others: two halves of the catalogue, each liked by half of the users.
    let items: Vec<Item> = (1..=ITEMS)
        .map(|id| Item {
            genres: formats::genres(id).map(str::to_owned).into(),
            year: u16::try_from(formats::year(id)).ok(),
            ..Item::bare(ItemId(id))
        })
        .collect();
    for (tower, table) in TOWERS {
        let known = known_vectors(&models, table);
        let cold = cold_vectors(&models, tower, &items);
        let right = items.iter().zip(&cold).filter(|(item, vector)| {
            let near = |same: bool| {
                let half = known.iter().filter(|(id, _)| (id.0 % 2 == item.id.0 % 2) == same);
                mean(half.map(|(_, known)| product(vector, known)))
            };
            near(true) > near(false)
        });
        let right = right.count();
        assert!(right * 10 >= items.len() * 9, "{tower}: {right} of {}", items.len());
    }
}

/// Prints how well the vectors of items without their ids stand for those with, in a bundle's folder
/// named by `TRIBUTARY_BUNDLE`.
#[test]
#[ignore = "measures a bundle of one's own"]
fn measure() {
    let folder = env::var("TRIBUTARY_BUNDLE").unwrap();
    let folder = Path::new(&folder);
    let lines = fs::read_to_string(folder.join("items.jsonl")).unwrap();
    let items: Vec<Item> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (tower, table) in TOWERS {
        let known = known_vectors(folder, table);
        let cold = cold_vectors(folder, tower, &items);
        let mut places: Vec<usize> = Vec::new();
        let (mut alike, mut others) = (Vec::new(), Vec::new());
        for (item, vector) in items.iter().zip(&cold) {
            let scores: Vec<f32> = known.iter().map(|(_, known)| product(vector, known)).collect();
            let own = known.binary_search_by_key(&item.id, |(id, _)| *id).unwrap();
            places.push(scores.iter().filter(|score| **score > scores[own]).count());
            for (other, score) in items.iter().zip(&scores).filter(|(other, _)| other.id != item.id)
            {
                let list = if other.genres == item.genres { &mut alike } else { &mut others };
                list.push(*score);
            }
        }
        places.sort_unstable();
        let (alike, others) = (mean(alike.into_iter()), mean(others.into_iter()));
        println!(
            "{tower}: {} items; own vector at median place {}; cosine with equal genres {alike:.3}, with others {others:.3}",
            items.len(),
            places[places.len() / 2],
        );
    }
}
