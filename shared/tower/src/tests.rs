//! Towers of tiny bundles, whose answers are known by hand.

use ndarray::{ArrayD, array};
use tributary_bundle::Store;
use tributary_inference::{InferenceConfig, Tensor, Tensors};
use tributary_testkit::{DIAGONAL, TestFolder, TinyBundle, bookmarks, golden};

use super::*;
use crate::tower::read_vectors;

const USER: (&str, Output) = ("user_tower", Output::Vector);
const INTERESTS: (&str, Output) = ("multi_interest_user", Output::Interests);

fn load(
    bundle: &TinyBundle,
    (name, output): (&str, Output),
    dimensions: usize,
) -> Result<Tower, TowerError> {
    let folder = TestFolder::new("tower");
    let store = Store::at(folder.path());
    let bundle = store.open(&bundle.write(&store)).unwrap();
    Loader::new(InferenceConfig::default()).unwrap().load(&bundle, name, output, dimensions)
}

#[test]
fn towers_whose_parts_do_not_agree_are_refused() {
    let good = TinyBundle::two_tower;
    let other = golden("vector", array![[0.9, 0.9]].into_dyn());
    let error = load(&good().with("golden/user_tower.safetensors", other), USER, 2).err();
    assert!(matches!(error, Some(TowerError::Model(_))), "{error:?}");
    let error = load(&good(), USER, 3).err();
    assert!(matches!(error, Some(TowerError::NoVectors { dimensions: 3, .. })), "{error:?}");
    let error = load(&TinyBundle::multi_interest(), INTERESTS, 3).err();
    assert!(matches!(error, Some(TowerError::NoVectors { output: "interests", .. })), "{error:?}");
    let error = load(&good(), ("user_tower", Output::Interests), 2).err();
    assert!(matches!(error, Some(TowerError::NoVectors { output: "interests", .. })), "{error:?}");
    let error = load(&good().with("features/user_tower.json", "{"), USER, 2).err();
    assert!(matches!(error, Some(TowerError::Encoder(_))), "{error:?}");
    let error = load(&good().with("models/user_tower.onnx", "rubbish"), USER, 2).err();
    assert!(matches!(error, Some(TowerError::Model(_))), "{error:?}");
}

#[test]
fn a_missing_file_is_named() {
    for (bundle, tower) in
        [(TinyBundle::two_tower(), USER), (TinyBundle::multi_interest(), INTERESTS)]
    {
        for file in bundle.files() {
            let error = load(&bundle.clone().without(&file), tower, 2).err().unwrap();
            let TowerError::Bundle(error) = error else { panic!("{file}: {error:?}") };
            assert!(error.to_string().contains(&file), "{error}");
        }
    }
}

#[test]
fn only_outputs_of_the_agreed_shape_are_read() {
    for (output, shape, fits) in [
        (Output::Vector, &[1, 2][..], true),
        (Output::Vector, &[2, 2], false),
        (Output::Vector, &[1, 1, 2], false),
        (Output::Interests, &[1, 3, 2], true),
        (Output::Interests, &[1, 0, 2], false),
        (Output::Interests, &[2, 3, 2], false),
        (Output::Interests, &[1, 2, 3], false),
        (Output::Interests, &[1, 2], false),
    ] {
        let name = if output == Output::Vector { "vector" } else { "interests" };
        let values = Tensor::F32(ArrayD::ones(shape));
        let outputs: Tensors = [(name.to_owned(), values)].into();
        assert_eq!(read_vectors(&outputs, output, 2).is_ok(), fits, "{output:?} {shape:?}");
    }
    let whole: Tensors = [("vector".to_owned(), Tensor::I64(ArrayD::ones(&[1, 2][..])))].into();
    assert!(read_vectors(&whole, Output::Vector, 2).is_err());
    assert!(read_vectors(&Tensors::new(), Output::Vector, 2).is_err());
}

async fn check(tower: &Tower, items: &[u64], expected: Option<&[[f32; 2]]>) {
    let vectors = tower.vectors(&bookmarks(items, 1)).await.unwrap();
    assert_eq!(vectors.as_ref().map(Vec::len), expected.map(<[_]>::len), "{items:?}");
    for (found, expected) in vectors.iter().flatten().zip(expected.into_iter().flatten()) {
        let near = found.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-6);
        assert!(near, "{items:?}: {vectors:?}");
    }
}

#[tokio::test]
async fn vectors_are_those_of_the_behaviour_as_it_is() {
    let tower = load(&TinyBundle::two_tower(), USER, 2).unwrap();
    check(&tower, &[], None).await;
    check(&tower, &[1, 2], Some(&[[1.0, 0.0]])).await;
    check(&tower, &[6], Some(&[[0.0, 1.0]])).await;
    check(&tower, &[3, 4], Some(&[[DIAGONAL, DIAGONAL]])).await;
    // Of a longer history the latest four count.
    check(&tower, &[1, 3, 4, 5, 6], Some(&[[0.1_f32.sqrt(), 0.9_f32.sqrt()]])).await;
    // Only items that the tower does not know.
    check(&tower, &[77], Some(&[])).await;
}

#[tokio::test]
async fn interests_that_are_not_in_use_are_left_out() {
    let tower = load(&TinyBundle::multi_interest(), INTERESTS, 2).unwrap();
    check(&tower, &[], None).await;
    check(&tower, &[1, 2], Some(&[[1.0, 0.0]])).await;
    check(&tower, &[6], Some(&[[0.0, 1.0]])).await;
    check(&tower, &[4, 3], Some(&[[1.0, 0.0], [0.0, 1.0]])).await;
    check(&tower, &[77], Some(&[])).await;
}
