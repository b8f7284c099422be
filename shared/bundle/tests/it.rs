//! Bundles on disk: what is refused, what is swapped, what is rolled back.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::Path,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tributary_bundle::{
    Bundle, BundleError, Draft, Forced, GateRun, Judgement, ManifestParts, ModelEntry, Served,
    Store, StoreConfig, Verdict,
};
use tributary_domain::BundleId;

const MODEL: &str = "models/ranker.onnx";

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path().join("store"));
    (folder, store)
}

fn parts() -> ManifestParts {
    ManifestParts {
        data_fingerprint: "ml-100k".into(),
        models: vec![ModelEntry {
            name: "ranker".into(),
            file: MODEL.into(),
            golden: None,
            inputs: vec!["dense".into()],
            outputs: vec!["liked".into()],
        }],
        metrics: [("ndcg@10".to_owned(), 0.125)].into(),
        ..ManifestParts::default()
    }
}

fn write(store: &Store, content: &str) -> BundleId {
    let mut draft = Draft::new(store).unwrap();
    draft.write(MODEL, content.as_bytes()).unwrap();
    draft.write("items.jsonl", b"{}\n").unwrap();
    draft.finish(parts()).unwrap()
}

fn folder(store: &Store, id: &BundleId) -> std::path::PathBuf {
    store.folder().join("bundles").join(id.as_str())
}

#[test]
fn a_finished_draft_reads_back_and_is_not_published() {
    let (_folder, store) = store();
    let id = write(&store, "weights");
    let bundle = store.open(&id).unwrap();
    assert_eq!(bundle.id(), &id);
    assert_eq!(bundle.read(MODEL).unwrap(), b"weights");
    assert_eq!(bundle.read_if_present("nothing").unwrap(), None);
    assert_eq!(bundle.manifest().model("ranker").unwrap().file, MODEL);
    assert_eq!(bundle.manifest().metrics["ndcg@10"], 0.125);
    assert_eq!(store.current().unwrap(), None);
    assert_eq!(fs::read_dir(store.folder().join("drafts")).unwrap().count(), 0);
}

#[test]
fn damaged_bundles_are_refused_with_the_names_of_bundle_and_file() {
    type Damage = fn(&Path);
    let cases: [(&str, Damage, &str); 9] = [
        ("a corrupt byte", |folder| fs::write(folder.join(MODEL), "weighty").unwrap(), MODEL),
        ("a truncated file", |folder| fs::write(folder.join(MODEL), "weig").unwrap(), MODEL),
        (
            "a missing file",
            |folder| fs::remove_file(folder.join("items.jsonl")).unwrap(),
            "items.jsonl",
        ),
        (
            "an extra file",
            |folder| fs::write(folder.join("models/extra"), "x").unwrap(),
            "models/extra",
        ),
        (
            "no manifest",
            |folder| fs::remove_file(folder.join("manifest.json")).unwrap(),
            "manifest.json",
        ),
        (
            "no manifest hash",
            |folder| fs::remove_file(folder.join("manifest.sha256")).unwrap(),
            "manifest.sha256",
        ),
        (
            "an edited manifest",
            |folder| {
                let path = folder.join("manifest.json");
                let text = fs::read_to_string(&path).unwrap();
                fs::write(path, text.replace("0.125", "0.925")).unwrap();
            },
            "manifest.json",
        ),
        (
            "a manifest cut short",
            |folder| {
                let path = folder.join("manifest.json");
                let text = fs::read_to_string(&path).unwrap();
                fs::write(path, &text[..text.len() / 2]).unwrap();
            },
            "manifest.json",
        ),
        (
            "a file that is a folder",
            |folder| {
                fs::remove_file(folder.join("items.jsonl")).unwrap();
                fs::create_dir(folder.join("items.jsonl")).unwrap();
            },
            "items.jsonl",
        ),
    ];
    for (name, damage, file) in cases {
        let (_folder, store) = store();
        let (good, bad) = (write(&store, "good"), write(&store, "weights"));
        store.publish(&good).unwrap();
        damage(&folder(&store, &bad));
        let message = store.open(&bad).expect_err(name).to_string();
        assert!(message.contains(bad.as_str()) && message.contains(file), "{name}: {message}");
        store.publish(&bad).expect_err(name);
        assert_eq!(store.current().unwrap(), Some(good), "{name}");
    }
}

/// A manifest that somebody wrote by hand, with a hash that fits.
#[test]
fn manifests_that_do_not_fit_are_refused() {
    let (_folder, store) = store();
    let id = write(&store, "weights");
    let path = folder(&store, &id).join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, reason) in [
        (id.as_str(), "other", "other"),
        ("\"models/ranker.onnx\": {", "\"../ranker.onnx\": {", "../ranker.onnx"),
        ("\"gate\"", "\"gates\"", "gates"),
        ("\"created_ms\"", "created_ms", "key must be a string"),
    ] {
        assert!(text.contains(from), "{from} is in the manifest");
        let changed = text.replace(from, to);
        fs::write(&path, &changed).unwrap();
        write_hash(&path);
        let message = store.open(&id).expect_err(to).to_string();
        assert!(message.contains(id.as_str()) && message.contains(reason), "{to}: {message}");
    }
    fs::write(&path, &text).unwrap();
    write_hash(&path);
    store.open(&id).unwrap();
}

fn write_hash(manifest: &Path) {
    use sha2::{Digest, Sha256};
    let hash = hex::encode(Sha256::digest(fs::read(manifest).unwrap()));
    fs::write(manifest.with_file_name("manifest.sha256"), format!("{hash}  manifest.json\n"))
        .unwrap();
}

#[test]
fn a_half_written_draft_is_no_bundle() {
    let (_folder, store) = store();
    let mut draft = Draft::new(&store).unwrap();
    draft.write(MODEL, b"half").unwrap();
    assert!(store.list().unwrap().is_empty());
    let drafts = store.folder().join("drafts");
    let left = fs::read_dir(&drafts).unwrap().next().unwrap().unwrap().path();
    assert!(matches!(Bundle::open(&left), Err(BundleError::NoManifest { .. })));
    drop(draft);
    assert!(!left.exists());
}

#[test]
fn drafts_are_checked() {
    let (_folder, store) = store();
    for name in ["", "/etc/passwd", "../up", "a/../b", "a//b", "manifest.json", "./a", "a/"] {
        let mut draft = Draft::new(&store).unwrap();
        let refused = draft.write(name, b"x");
        assert!(matches!(refused, Err(BundleError::BadName { .. })), "{name:?}");
    }
    let draft = Draft::new(&store).unwrap();
    let error = draft.finish(parts()).unwrap_err().to_string();
    assert!(error.contains(MODEL) && error.contains("ranker"), "{error}");
    let mut draft = Draft::new(&store).unwrap();
    draft.write(MODEL, b"x").unwrap();
    let metrics = [("loss".to_owned(), f64::NAN)].into();
    let error = draft.finish(ManifestParts { metrics, ..parts() }).unwrap_err().to_string();
    assert!(error.contains("loss"), "{error}");
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn ids_that_leave_the_store_are_refused() {
    let (_folder, store) = store();
    for id in ["", "..", "../x", "a/b", ".hidden", "a b"] {
        let refused = store.open(&BundleId::from(id));
        assert!(matches!(refused, Err(BundleError::BadId { .. })), "{id:?}");
    }
    let unknown = store.publish(&BundleId::from("unknown"));
    assert!(matches!(unknown, Err(BundleError::NotFound { .. })));
}

#[test]
fn rollback_goes_back_through_the_history() {
    let (_folder, store) = store();
    let ids: Vec<BundleId> = ["a", "b", "c"].map(|content| write(&store, content)).into();
    ids.iter().for_each(|id| store.publish(id).unwrap());
    store.publish(&ids[2]).unwrap();
    assert_eq!(store.history().unwrap(), ids[..2]);
    let list = store.list().unwrap();
    let current: Vec<&BundleId> =
        list.iter().filter(|one| one.current).map(|one| &one.id).collect();
    assert_eq!(current, [&ids[2]]);
    assert!(list.iter().all(|one| one.manifest.is_ok()));
    assert_eq!(store.rollback().unwrap(), ids[1]);
    assert_eq!(store.rollback().unwrap(), ids[0]);
    assert_eq!(store.current().unwrap().as_ref(), Some(&ids[0]));
    assert!(matches!(store.rollback(), Err(BundleError::NoHistory { .. })));
    assert_eq!(store.current().unwrap().as_ref(), Some(&ids[0]));
}

#[test]
fn a_rollback_to_a_corrupt_bundle_changes_nothing() {
    let (_folder, store) = store();
    let (one, two) = (write(&store, "one"), write(&store, "two"));
    store.publish(&one).unwrap();
    store.publish(&two).unwrap();
    fs::write(folder(&store, &one).join(MODEL), "bad").unwrap();
    assert!(matches!(store.rollback(), Err(BundleError::WrongHash { .. })));
    assert_eq!(store.current().unwrap(), Some(two));
    assert_eq!(store.history().unwrap(), [one]);
}

/// Writers on many threads: every publication is in the history or current, once.
#[test]
fn concurrent_publications_lose_nothing() {
    let (_folder, store) = store();
    let start = Arc::new(Barrier::new(8));
    let publishers = (0..8).map(|index| {
        let (store, start) = (store.clone(), Arc::clone(&start));
        thread::spawn(move || {
            let id = write(&store, &format!("weights {index}"));
            start.wait();
            store.publish(&id).unwrap();
            id
        })
    });
    let publishers: Vec<_> = publishers.collect();
    let mut written: Vec<BundleId> =
        publishers.into_iter().map(|publisher| publisher.join().unwrap()).collect();
    let mut published = store.history().unwrap();
    published.extend(store.current().unwrap());
    written.sort();
    published.sort();
    assert_eq!(published, written);
}

fn blocked(store: &Store, content: &str) -> BundleId {
    let mut draft = Draft::new(store).unwrap();
    draft.write(MODEL, content.as_bytes()).unwrap();
    let gate = Some(Judgement::from_reasons(vec!["the AUC is a coin's".into()]));
    draft.finish(ManifestParts { gate, ..parts() }).unwrap()
}

fn run(bundle: &BundleId, verdict: Verdict) -> GateRun {
    GateRun {
        time_ms: 7,
        bundle: bundle.clone(),
        dataset: "ml-100k".into(),
        protocol: "time".into(),
        metrics: [("ranker.liked.auc".to_owned(), 0.75)].into(),
        verdict,
        reasons: Vec::new(),
        forced: None,
    }
}

fn forced() -> Forced {
    Forced { by: "somebody".into(), reason: "we know better".into() }
}

#[test]
fn a_blocked_bundle_is_published_only_by_force_which_is_recorded() {
    let (_folder, store) = store();
    let good = write(&store, "good");
    store.publish(&good).unwrap();
    let bad = blocked(&store, "bad");
    let message = store.publish(&bad).unwrap_err().to_string();
    assert!(message.contains(bad.as_str()) && message.contains("a coin's"), "{message}");
    for nobody in
        [Forced { by: " ".into(), ..forced() }, Forced { reason: String::new(), ..forced() }]
    {
        let refused = store.publish_forced(&bad, &nobody);
        assert!(matches!(refused, Err(BundleError::NotVouched { .. })), "{nobody:?}");
    }
    assert_eq!(store.current().unwrap(), Some(good.clone()));
    store.publish_forced(&bad, &forced()).unwrap();
    assert_eq!(store.current().unwrap(), Some(bad.clone()));
    assert_eq!(store.history().unwrap(), [good]);
    let runs = store.gate_runs().unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!((&runs[0].bundle, &runs[0].forced), (&bad, &Some(forced())));
    assert_eq!(runs[0].reasons, ["the AUC is a coin's"]);
    let listed = store.list().unwrap().into_iter().find(|one| one.id == bad).unwrap();
    let standing = listed.standing.unwrap();
    assert!(standing.judgement.is_blocked());
    assert_eq!(standing.forced, Some(forced()));
    store.rollback().unwrap();
    store.publish(&bad).expect("somebody vouched for it");
}

#[test]
fn the_last_judgement_counts() {
    let (_folder, store) = store();
    let id = blocked(&store, "bundle");
    store.record_gate(&run(&id, Verdict::Passed)).unwrap();
    store.publish(&id).unwrap();
    let other = write(&store, "other");
    store.publish(&other).unwrap();
    store.record_gate(&run(&id, Verdict::Blocked)).unwrap();
    assert!(matches!(store.publish(&id), Err(BundleError::Blocked { .. })));
    assert_eq!(store.rollback().unwrap(), id, "what was served may be served again");
    assert_eq!(store.gate_runs().unwrap().len(), 2);
}

#[test]
fn concurrent_judgements_lose_nothing() {
    let (_folder, store) = store();
    let start = Arc::new(Barrier::new(8));
    let judges = (0..8).map(|index| {
        let (store, start) = (store.clone(), Arc::clone(&start));
        thread::spawn(move || {
            start.wait();
            let id = BundleId::from(format!("bundle-{index}"));
            store.record_gate(&run(&id, Verdict::Passed)).unwrap();
        })
    });
    let judges: Vec<_> = judges.collect();
    judges.into_iter().for_each(|judge| judge.join().unwrap());
    let mut bundles: Vec<String> =
        store.gate_runs().unwrap().iter().map(|run| run.bundle.to_string()).collect();
    bundles.sort();
    let expected: Vec<String> = (0..8).map(|index| format!("bundle-{index}")).collect();
    assert_eq!(bundles, expected);
}

#[test]
fn a_damaged_record_is_named_with_its_line() {
    let (_folder, store) = store();
    let id = write(&store, "bundle");
    store.record_gate(&run(&id, Verdict::Passed)).unwrap();
    let path = store.folder().join("gate.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}{{\"time_ms\": 1}}\n")).unwrap();
    let message = store.publish(&id).unwrap_err().to_string();
    assert!(message.contains("line 2") && message.contains("gate.jsonl"), "{message}");
}

#[test]
fn manifests_of_before_the_gate_still_open() {
    let (_folder, store) = store();
    let id = write(&store, "weights");
    let path = folder(&store, &id).join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    for (word, publishable) in [("null", true), ("\"passed\"", true), ("\"blocked\"", false)] {
        fs::write(&path, text.replace("\"gate\": null", &format!("\"gate\": {word}"))).unwrap();
        write_hash(&path);
        store.open(&id).unwrap();
        assert_eq!(store.publish(&id).is_ok(), publishable, "{word}");
    }
}

fn serve(store: &Store) -> Served<String> {
    let config = StoreConfig { store: store.folder().to_owned(), poll: Duration::from_millis(2) };
    let load = |bundle: &Bundle| -> Result<String, tributary_bundle::LoadError> {
        let text = String::from_utf8(bundle.read(MODEL)?)?;
        if text == "unloadable" { Err("the model is no model".into()) } else { Ok(text) }
    };
    Served::start(config, load, CancellationToken::new())
}

async fn wait_for(served: &Served<String>, id: &BundleId) {
    let mut changes = served.changes();
    changes.wait_for(|now| now.as_ref() == Some(id)).await.unwrap();
}

#[tokio::test]
async fn a_service_swaps_and_rolls_back() {
    let (_folder, store) = store();
    let served = serve(&store);
    assert!(served.current().is_none());
    let (one, two) = (write(&store, "one"), write(&store, "two"));
    store.publish(&one).unwrap();
    assert_eq!(served.wait_loaded().await.value, "one");
    store.publish(&two).unwrap();
    wait_for(&served, &two).await;
    assert_eq!(served.current().unwrap().value, "two");
    let kept = served.previous().unwrap();
    assert_eq!(kept.value, "one");
    store.rollback().unwrap();
    wait_for(&served, &one).await;
    assert!(Arc::ptr_eq(&served.current().unwrap(), &kept), "it was not loaded again");
    assert_eq!(served.previous().unwrap().value, "two");
}

#[tokio::test]
async fn a_service_goes_on_with_the_bundle_it_has() {
    for damaged in [true, false] {
        let (_folder, store) = store();
        let served = serve(&store);
        let good = write(&store, "good");
        store.publish(&good).unwrap();
        served.wait_loaded().await;
        let bad = write(&store, "unloadable");
        store.publish(&bad).unwrap();
        if damaged {
            fs::write(folder(&store, &bad).join(MODEL), "unloadablf").unwrap();
        }
        let mut refusals = served.refusals();
        let refused = refusals.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        assert_eq!(refused.bundle_id, bad);
        assert!(refused.reason.contains(bad.as_str()), "{}", refused.reason);
        assert_eq!(served.current().unwrap().bundle_id, good);
        let better = write(&store, "better");
        store.publish(&better).unwrap();
        wait_for(&served, &better).await;
        assert_eq!(served.previous().unwrap().bundle_id, good);
    }
}
