use tributary_bundle::Store;

use super::*;
use crate::fixtures::{BROKEN, FIRST, Recipe, SECOND};

fn load(recipe: Recipe, fusion: &[(&str, f32)]) -> Result<Arc<Model>, String> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let id = recipe.write(&store);
    let exponents = fusion.iter().map(|(task, exponent)| ((*task).to_owned(), *exponent)).collect();
    let config = Config { fusion: Fusion { exponents }, ..Config::default() };
    let runtime = Runtime::load(&config.inference).expect("ONNX Runtime; `make up` fetches it");
    let loader = Loader::new(&config, runtime, Models::default());
    loader.load(&store.open(&id).unwrap()).map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    })
}

#[test]
fn a_good_bundle_is_loaded() {
    let model = load(Recipe::of(FIRST, 0.0), &[]).unwrap();
    assert_eq!(model.tasks, ["liked", "watched"]);
    assert_eq!(model.rows.snapshot().len(), 2);
    assert_eq!(model.statistics.of(ItemId(2)).interactions, 2);
    assert!((model.fusion.score(&[0.5, 0.25]) - 0.25).abs() < 1e-6);
    let model = load(Recipe::of(FIRST, 0.0), &[("watched", 1.0)]).unwrap();
    assert!((model.fusion.score(&[0.5, 0.25]) - 0.25).abs() < 1e-6);
    load(Recipe { golden: None, ..Recipe::of(FIRST, 0.0) }, &[]).unwrap();
}

#[test]
fn bundles_that_do_not_fit_are_refused() {
    let good = || Recipe::of(FIRST, 0.0);
    let encoder = |from, to| good().encoder.replace(from, to);
    for (name, recipe, part) in [
        ("another model's answers", Recipe { model: SECOND, ..good() }, "golden output liked"),
        ("a broken model", Recipe { model: BROKEN, ..good() }, "golden output liked"),
        ("no model", Recipe { model: b"nothing", ..good() }, "cannot be loaded on cpu"),
        ("no ranker", Recipe { name: "other", ..good() }, "no model \"ranker\""),
        (
            "features of another width",
            Recipe {
                encoder: encoder(
                    "\"boundaries\", \"bounds\": [1990, 2000]",
                    "\"hash-bucket\", \"buckets\": 3",
                )
                .replace("item.year", "x")
                .replace(
                    "evidence.two-tower.present\", \"kind\": \"standard-number\"",
                    "x\", \"kind\": \"hash-bucket\", \"buckets\": 3",
                ),
                ..good()
            },
            "input",
        ),
        ("no encoder", Recipe { encoder: "{}".to_owned(), ..good() }, "features are broken"),
        ("a broken item", Recipe { items: b"\n{}\n".to_vec(), ..good() }, "line 2 of items.jsonl"),
        ("broken counts", Recipe { statistics: vec![1, 2, 3], ..good() }, "item statistics"),
        (
            "an unknown task",
            Recipe { fusion: serde_json::json!({"shared": 1.0}), ..good() },
            "shared",
        ),
        ("no fusion", Recipe { fusion: serde_json::json!({}), ..good() }, "names no task"),
        (
            "fusion of texts",
            Recipe { fusion: serde_json::json!({"liked": "x"}), ..good() },
            "fusion",
        ),
    ] {
        let message = load(recipe, &[]).err().expect(name);
        assert!(message.contains(part), "{name}: {message}");
    }
}
