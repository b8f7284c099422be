use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

#[derive(Serialize)]
struct Config {
    width: usize,
    rate: f32,
    epochs: usize,
}

const CONFIG: Config = Config { width: 3, rate: 0.1, epochs: 5 };

fn identity(config: &Config) -> Identity {
    Identity::of("tower", config, &["layout"])
}

fn bytes() -> Vec<u8> {
    let (mut a, mut b) = ([1.0, -2.5, 1e-30], [0.5; 40]);
    let arrays =
        [Array { name: "b".into(), cells: &mut b }, Array { name: "a".into(), cells: &mut a }];
    save(identity(&CONFIG), &(7, "state"), &arrays)
}

fn read(bytes: &[u8], names: [&str; 2], lengths: [usize; 2]) -> Result<Vec<Vec<f32>>, String> {
    let saved = open::<(u32, String)>(&identity(&CONFIG), bytes);
    let saved = saved.map_err(|error| error.to_string())?;
    assert_eq!(saved.state, (7, "state".to_owned()));
    let mut cells = lengths.map(|length| vec![9.0; length]).to_vec();
    let arrays = cells.iter_mut().zip(names);
    let arrays = arrays.map(|(cells, name)| Array { name: name.into(), cells }).collect();
    let filled = saved.fill(arrays);
    if filled.is_err() {
        assert!(cells.iter().flatten().all(|cell| *cell == 9.0), "half filled");
    }
    filled.map(|()| cells).map_err(|error| error.to_string())
}

#[test]
fn comes_back_as_it_was() {
    let cells = read(&bytes(), ["a", "b"], [3, 40]).unwrap();
    assert_eq!(cells, [vec![1.0, -2.5, 1e-30], vec![0.5; 40]]);
    assert_eq!(bytes(), bytes(), "the bytes depend on something else");
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let error = read(&bytes(), ["a", "b"], [3, 41]).unwrap_err();
    assert_eq!(error, "checkpoint: array b has 40 cells, not 41");
    let error = read(&bytes(), ["a", "c"], [3, 40]).unwrap_err();
    assert_eq!(error, "checkpoint: array c has 0 cells, not 40");
}

#[test]
fn other_models_and_settings_are_refused() {
    let bytes = bytes();
    let check = |identity: &Identity, expected: &str| {
        let error = open::<(u32, String)>(identity, &bytes).unwrap_err();
        assert_eq!(error.to_string(), format!("checkpoint: {expected}"));
    };
    check(&Identity::of("ranker", &CONFIG, &["layout"]), "it is of a tower, not of a ranker");
    check(
        &identity(&Config { rate: 0.25, ..CONFIG }),
        "it was made with another rate: 0.10000000149011612, not 0.25",
    );
    check(&Identity::of("tower", &CONFIG, &["other"]), "it was made with another layout");
    check(
        &Identity::of("tower", &[0; 0], &["layout"]),
        "it was made with another rate: 0.10000000149011612, not nothing",
    );
    assert!(open::<(u32, String)>(&identity(&Config { epochs: 9, ..CONFIG }), &bytes).is_ok());
}

#[test]
fn no_damage_goes_unnoticed() {
    let whole = bytes();
    for length in 0..whole.len() {
        assert!(read(&whole[..length], ["a", "b"], [3, 40]).is_err(), "cut to {length}");
    }
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let expected = read(&whole, ["a", "b"], [3, 40]).unwrap();
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << random.random_range(0..8);
        // What is only written differently, such as a space as a tab, may pass.
        if let Ok(cells) = read(&bytes, ["a", "b"], [3, 40]) {
            assert_eq!(cells, expected, "byte {place}");
        }
    }
    assert!(read(b"", ["a", "b"], [3, 40]).is_err());
}
