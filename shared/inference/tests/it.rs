//! Models on the ONNX Runtime library of this checkout (`make up` or `make test` fetches it).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use ndarray::{ArrayD, Axis, IxDyn, Slice};
use tributary_inference::{
    Golden, InferenceConfig, InferenceError, Pool, Provider, Runtime, Session, Tensor, Tensors,
    verify_golden,
};

const SCORER: &[u8] = include_bytes!("fixtures/scorer.onnx");
const GOLDEN: &[u8] = include_bytes!("fixtures/scorer.golden.safetensors");

fn config() -> InferenceConfig {
    InferenceConfig::default()
}

fn runtime() -> Runtime {
    Runtime::load(&config()).expect("ONNX Runtime in .tools; `make up` fetches it")
}

fn session() -> Session {
    Session::load(&runtime(), SCORER, &config()).unwrap()
}

fn golden() -> Golden {
    Golden::from_bytes(GOLDEN).unwrap()
}

/// Inputs of `rows` rows, different for every seed.
fn inputs(rows: usize, seed: i64) -> Tensors {
    let id = |index: &IxDyn| {
        let cell = i64::try_from(index[0] * 7 + index[1] * 3).unwrap();
        (cell + seed * 11).rem_euclid(32)
    };
    let ids = |width| Tensor::I64(ArrayD::from_shape_fn(IxDyn(&[rows, width]), |at| id(&at)));
    let number = |at: IxDyn| ((at[0] * 5 + at[1]) as f32 + seed as f32).sin();
    let dense = Tensor::F32(ArrayD::from_shape_fn(IxDyn(&[rows, 3]), number));
    [("ids", ids(2)), ("bag.genres", ids(3)), ("dense", dense)]
        .map(|(name, tensor)| (name.to_owned(), tensor))
        .into()
}

#[test]
fn answers_what_numpy_computed() {
    let mut session = session();
    assert_eq!(session.provider(), Provider::Cpu);
    let names: Vec<&str> = session.inputs().iter().map(|port| port.name.as_str()).collect();
    assert_eq!(names, ["ids", "bag.genres", "dense"]);
    verify_golden(&mut session, &golden(), 1e-6).unwrap();
}

#[test]
fn other_golden_answers_are_refused() {
    let mut session = session();
    let change = |name: &str, tensor: Tensor| {
        let mut golden = golden();
        golden.outputs.insert(name.to_owned(), tensor);
        golden
    };
    let liked = golden().outputs["liked"].as_f32().unwrap().clone();
    let (mut off, mut bad) = (liked.clone(), liked.clone());
    off[2] += 1e-3;
    bad[0] = f32::NAN;
    let short = liked.slice_axis(Axis(0), Slice::from(..2)).to_owned();
    for (golden, reason) in [
        (change("liked", Tensor::F32(off)), "element 2"),
        (change("liked", Tensor::F32(bad)), "element 0"),
        (change("liked", Tensor::F32(short)), "shape"),
        (change("shared", Tensor::F32(liked)), "no such output"),
    ] {
        let error = verify_golden(&mut session, &golden, 1e-4).expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn wrong_inputs_are_named() {
    let mut session = session();
    let change = |name: &str, tensor: Option<Tensor>| {
        let mut tensors = inputs(2, 0);
        tensors.remove(name);
        tensors.extend(tensor.map(|tensor| (name.to_owned(), tensor)));
        tensors
    };
    let numbers = |shape: &[usize]| Some(Tensor::F32(ArrayD::zeros(IxDyn(shape))));
    for (name, tensors, part) in [
        ("missing", change("dense", None), "input dense is missing"),
        ("unknown", change("dense2", numbers(&[2, 3])), "no input dense2"),
        ("narrow", change("dense", numbers(&[2, 2])), "input dense has shape [2, 2]"),
        ("flat", change("dense", numbers(&[6])), "input dense has shape [6]"),
        ("uneven", change("dense", numbers(&[3, 3])), "rows"),
        ("kind", change("ids", numbers(&[2, 2])), "input ids has elements F32"),
        ("empty", inputs(0, 0), "no rows"),
    ] {
        let error = session.run(&tensors).expect_err(name).to_string();
        assert!(error.contains(part), "{name}: {error}");
    }
    session.run(&inputs(2, 0)).unwrap();
}

#[test]
fn a_missing_library_is_a_clear_error() {
    let library = Some(PathBuf::from("/nowhere/libonnxruntime.so"));
    let error = Runtime::load(&InferenceConfig { library, ..config() }).err().unwrap();
    assert!(matches!(error, InferenceError::LibraryMissing { .. }));
    assert!(error.to_string().contains("/nowhere/libonnxruntime.so"));
}

#[test]
fn a_model_that_is_none_is_an_error() {
    for bytes in [&[][..], b"not a model", &SCORER[..SCORER.len() / 2]] {
        let refused = Session::load(&runtime(), bytes, &config());
        assert!(matches!(refused, Err(InferenceError::Load { .. })));
    }
}

/// On a machine with a device the first provider serves, and says so.
#[test]
fn providers_are_tried_in_order() {
    let providers = vec![Provider::Tensorrt, Provider::Cuda, Provider::Cpu];
    let config = InferenceConfig { providers, ..config() };
    let mut session = Session::load(&runtime(), SCORER, &config).unwrap();
    if std::path::Path::new("/dev/nvidiactl").exists() {
        return;
    }
    assert_eq!(session.provider(), Provider::Cpu);
    verify_golden(&mut session, &golden(), 1e-6).unwrap();
    let config = InferenceConfig { providers: vec![Provider::Cuda], ..config };
    let error = Session::load(&runtime(), SCORER, &config).err().unwrap().to_string();
    assert!(error.contains("cuda"), "{error}");
}

/// Many callers, requests of different sizes, batched as it comes: each gets its own answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pool_answers_as_a_session_does() {
    for threads in [1, 3] {
        let config = InferenceConfig { threads, max_batch_rows: 64, ..config() };
        let pool = Arc::new(Pool::start(&runtime(), SCORER, &config).unwrap());
        let calls = (0..200_i64).map(|seed| {
            let pool = Arc::clone(&pool);
            let rows = 1 + usize::try_from(seed).unwrap() % 40;
            tokio::spawn(async move { (seed, rows, pool.run(inputs(rows, seed)).await) })
        });
        let mut session = session();
        for call in calls.collect::<Vec<_>>() {
            let (seed, rows, answer) = call.await.unwrap();
            let expected = session.run(&inputs(rows, seed)).unwrap();
            assert_close(&answer.unwrap(), &expected);
        }
    }
}

fn assert_close(found: &Tensors, expected: &Tensors) {
    let values = |tensors: &Tensors| -> BTreeMap<String, Vec<f32>> {
        let values = |tensor: &Tensor| tensor.as_f32().unwrap().iter().copied().collect();
        tensors.iter().map(|(name, tensor)| (name.clone(), values(tensor))).collect()
    };
    let (found, expected) = (values(found), values(expected));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, expected) in expected {
        assert_eq!(found[&name].len(), expected.len());
        for (found, expected) in found[&name].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{name}: {found} is not {expected}");
        }
    }
}

#[tokio::test]
async fn a_pool_refuses_wrong_inputs_at_once() {
    let pool = Pool::start(&runtime(), SCORER, &config()).unwrap();
    let error = pool.run(Tensors::new()).await.unwrap_err();
    assert!(matches!(error, InferenceError::MissingInput { .. }));
    pool.run(inputs(1, 1)).await.unwrap();
}
