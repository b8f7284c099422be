//! Small bundles with the models of `tests/fixtures/make.py`, for the tests in this crate and for
//! those beside it.

use ndarray::{ArrayD, IxDyn};
use tributary_bundle::{Draft, Golden, ManifestParts, ModelEntry, Store, Tensor};
use tributary_domain::{Action, Behaviour, BundleId, Event, Item, ItemId, Timestamp, UserId};
use tributary_features::ranking::Statistics;

pub(crate) const FIRST: &[u8] = include_bytes!("../tests/fixtures/first.onnx");
pub(crate) const SECOND: &[u8] = include_bytes!("../tests/fixtures/second.onnx");
pub(crate) const BROKEN: &[u8] = include_bytes!("../tests/fixtures/broken.onnx");

const ENCODER: &str = r#"{
  "format": 1,
  "specification": {"feature": [
    {"name": "year", "field": "item.year", "kind": "boundaries", "bounds": [1990, 2000]},
    {"name": "interactions", "field": "statistics.interactions", "kind": "standard-number"},
    {"name": "present", "field": "evidence.two-tower.present", "kind": "standard-number"}
  ]},
  "state": {"vocabularies": {}, "quantiles": {}, "moments": {
    "interactions": {"mean": "0", "deviation": "1"},
    "present": {"mean": "0", "deviation": "1"}
  }}
}"#;

/// What goes into a bundle; the test changes what it is about.
pub(crate) struct Recipe {
    pub(crate) model: &'static [u8],
    pub(crate) name: &'static str,
    pub(crate) golden: Option<Golden>,
    pub(crate) encoder: String,
    pub(crate) items: Vec<u8>,
    pub(crate) statistics: Vec<u8>,
    pub(crate) fusion: serde_json::Value,
}

impl Recipe {
    /// A good bundle: items 1 (1985) and 2 (1995), which has two interactions.
    pub(crate) fn of(model: &'static [u8], bias: f32) -> Self {
        let items = [item(1, 1985), item(2, 1995)];
        let lines = items.iter().map(|item| serde_json::to_string(item).unwrap() + "\n");
        let mut statistics = Statistics::new();
        (0..2).for_each(|time| statistics.record(&event(2, time)));
        Self {
            model,
            name: "ranker",
            golden: Some(golden(bias)),
            encoder: ENCODER.to_owned(),
            items: lines.collect::<String>().into_bytes(),
            statistics: statistics.to_bytes(),
            fusion: serde_json::json!({"liked": 1.0, "watched": 0.5}),
        }
    }

    pub(crate) fn write(self, store: &Store) -> BundleId {
        let mut draft = Draft::new(store).unwrap();
        draft.write("models/ranker.onnx", self.model).unwrap();
        draft.write("features/ranker.json", self.encoder.as_bytes()).unwrap();
        draft.write("items.jsonl", &self.items).unwrap();
        draft.write("tables/item_statistics.safetensors", &self.statistics).unwrap();
        let golden = self.golden.map(|golden| {
            draft.write("golden/ranker.safetensors", &golden.to_bytes().unwrap()).unwrap();
            "golden/ranker.safetensors".to_owned()
        });
        let entry = ModelEntry {
            name: self.name.to_owned(),
            file: "models/ranker.onnx".to_owned(),
            golden,
            inputs: vec!["dense".to_owned(), "ids".to_owned()],
            outputs: vec!["liked".to_owned(), "watched".to_owned()],
        };
        let parameters = [("fusion".to_owned(), self.fusion)].into_iter().collect();
        let parts = ManifestParts { models: vec![entry], parameters, ..ManifestParts::default() };
        draft.finish(parts).unwrap()
    }
}

/// Three interactions, found by two-tower, of the nineties.
fn golden(bias: f32) -> Golden {
    let inputs = [
        ("ids".to_owned(), Tensor::I64(ArrayD::from_elem(IxDyn(&[1, 1]), 3))),
        (
            "dense".to_owned(),
            Tensor::F32(ArrayD::from_shape_vec(IxDyn(&[1, 2]), vec![3.0, 1.0]).unwrap()),
        ),
    ];
    let one = |value| Tensor::F32(ArrayD::from_elem(IxDyn(&[1]), value));
    let outputs = [
        ("liked".to_owned(), one(liked(3.0, true, 0.3, bias))),
        ("watched".to_owned(), one(watched(3.0))),
    ];
    Golden { inputs: inputs.into(), outputs: outputs.into() }
}

/// The models' formulas.
pub(crate) fn liked(interactions: f32, present: bool, year: f32, bias: f32) -> f32 {
    sigmoid(0.5 * interactions + f32::from(u8::from(present)) + year + bias)
}

pub(crate) fn watched(interactions: f32) -> f32 {
    sigmoid(0.25 * interactions)
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

pub(crate) fn item(id: u64, year: u16) -> Item {
    Item { year: Some(year), ..Item::bare(ItemId(id)) }
}

pub(crate) fn event(item: u64, time: i64) -> Event {
    let (item, time) = (ItemId(item), Timestamp(time + 1));
    Event {
        user: UserId(9),
        behaviour: Behaviour { item, action: Action::View, time, dwell_ms: 0 },
    }
}
