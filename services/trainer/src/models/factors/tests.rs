use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use ndarray::Array2;
use tributary_domain::{Action, Behaviour, Event, ItemId, Timestamp, UserId};

use super::*;

/// Two groups of users, each with items of its own and one in common.
fn events() -> Vec<Event> {
    let mut events = Vec::new();
    for user in 0..20_u64 {
        for item in (0..6).filter(|item| (user * 7 + item) % 4 != 0).chain([12]) {
            let item = if item == 12 { 12 } else { item + 6 * (user % 2) };
            let behaviour = Behaviour {
                item: ItemId(item + 1),
                action: Action::View,
                time: Timestamp(0),
                dwell_ms: 0,
            };
            events.push(Event { user: UserId(user + 1), behaviour });
        }
    }
    events
}

/// The loss over all pairs, by its definition.
fn loss(users: &Array2<f64>, items: &Array2<f64>, data: &Interactions, loss: Loss) -> f64 {
    let mut sum = 0.0;
    for (user, met) in users.rows().into_iter().zip(&data.by_user) {
        for (number, item) in (0_u32..).zip(items.rows()) {
            let prediction = user.dot(&item);
            sum += loss.unobserved * prediction.powi(2);
            sum += if met.contains(&number) { (1.0 - prediction).powi(2) } else { 0.0 };
        }
        let part = float(met.len()) + loss.unobserved * float(items.nrows());
        sum += loss.regularisation * part * user.dot(&user);
    }
    for (item, met) in items.rows().into_iter().zip(&data.by_item) {
        let part = float(met.len()) + loss.unobserved * float(users.nrows());
        sum += loss.regularisation * part * item.dot(&item);
    }
    sum
}

#[test]
fn every_step_lowers_the_loss() {
    let data = Interactions::of(&events());
    let settings = Loss::default();
    let mut items = start(data.items.len(), 4, 1);
    let mut last = f64::INFINITY;
    for _ in 0..5 {
        let users = step(items, &data.by_user, settings);
        items = step(users.clone(), &data.by_item, settings);
        let now = loss(&users, &items, &data, settings);
        assert!(now < last + 1e-9, "{now} after {last}");
        last = now;
    }
}

#[test]
fn a_user_is_near_the_items_of_the_own_group() {
    let config = FactorsConfig { dimension: 4, ..FactorsConfig::default() };
    let Factors { items, loss } = train(&events(), &config, 1).unwrap();
    let fold = Fold::new(items.vectors.mapv(f64::from), loss);
    let user = fold.vector([(0, 1.0), (1, 1.0)]);
    let score = |row: usize| fold.others().row(row).dot(&user);
    for own in 2..6 {
        for other in 6..12 {
            assert!(score(own) > score(other), "{own} and {other}");
        }
    }
}

#[test]
fn the_seed_alone_decides() {
    let config = FactorsConfig { dimension: 4, ..FactorsConfig::default() };
    let one = train(&events(), &config, 1).unwrap();
    assert_eq!(train(&events(), &config, 1).unwrap(), one);
    assert_ne!(train(&events(), &config, 2).unwrap(), one);
}

#[test]
fn settings_of_no_use_are_named() {
    let loss = |unobserved, regularisation| Loss { unobserved, regularisation };
    let rows = [
        (FactorsConfig { dimension: 0, ..FactorsConfig::default() }, "factors.dimension"),
        (
            FactorsConfig { loss: loss(0.0, 0.1), ..FactorsConfig::default() },
            "factors.loss.unobserved",
        ),
        (
            FactorsConfig { loss: loss(0.1, f64::NAN), ..FactorsConfig::default() },
            "factors.loss.regularisation",
        ),
    ];
    for (config, key) in rows {
        let error = train(&events(), &config, 1).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}

fn by_numpy(given: &serde_json::Value) -> Vec<Vec<f64>> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = std::env::var("TRIBUTARY_PYTHON")
        .map_or_else(|_| repository.join(".tools/python/bin/python"), PathBuf::from);
    let mut child = Command::new(&python)
        .arg(repository.join("tests/oracles/factors.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; `make python`", python.display()));
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    serde_json::from_value(found["items"].clone()).unwrap()
}

#[test]
fn numpy_finds_the_same_vectors() {
    let data = Interactions::of(&events());
    let config = FactorsConfig { dimension: 4, iterations: 3, loss: Loss::default() };
    let begin = start(data.items.len(), config.dimension, 1);
    let rows: Vec<Vec<f64>> = begin.rows().into_iter().map(|row| row.to_vec()).collect();
    let Loss { unobserved, regularisation } = config.loss;
    let expected = by_numpy(&serde_json::json!({
        "items": rows, "met": data.by_user, "rounds": config.iterations,
        "unobserved": unobserved, "regularisation": regularisation,
    }));
    let found = train(&events(), &config, 1).unwrap().items.vectors;
    for (found, expected) in found.rows().into_iter().zip(expected) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-4, "{found} is not {expected}");
        }
    }
}
