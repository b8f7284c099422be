//! The state of an unfinished training as bytes, and back.
//!
//! A checkpoint is a safetensors file: weights and Adam moments as tensors, all else as JSON in
//! its metadata, under a checksum. It names the model and its settings, so that it is refused by
//! any other.

mod file;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub(crate) use self::file::{Identity, open, save};
use crate::{
    optimiser::{Adam, Parameter},
    table::Table,
};

/// One array of a model's state.
#[derive(Debug)]
pub(crate) struct Array<'a> {
    pub(crate) name: String,
    pub(crate) cells: &'a mut [f32],
}

/// Weights and moments of the tables, then of the layers, both in the order in which the model
/// holds them.
pub(crate) fn arrays<'a>(
    tables: &'a mut [Table<f32>],
    layers: Vec<&'a mut Parameter<f32>>,
) -> Vec<Array<'a>> {
    let tables = tables.iter_mut().map(Table::state).enumerate();
    let layers = layers.into_iter().map(Parameter::state).enumerate();
    let tables = tables.map(|(number, state)| (format!("table.{number}"), state));
    let layers = layers.map(|(number, state)| (format!("layer.{number}"), state));
    tables.chain(layers).flat_map(|(owner, state)| named(&owner, state)).collect()
}

fn named<'a>(owner: &str, state: [&'a mut [f32]; 3]) -> Vec<Array<'a>> {
    let names = ["value", "first", "second"].map(|part| format!("{owner}.{part}"));
    names.into_iter().zip(state).map(|(name, cells)| Array { name, cells }).collect()
}

/// What the next epoch depends on besides the arrays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Epochs that are done.
    pub(crate) epoch: usize,
    /// Steps that Adam has taken.
    steps: i32,
    random: Random,
}

/// Where a random generator stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Random {
    seed: [u8; 32],
    stream: u64,
    /// In words of 32 bits: upper and lower half of the 128 bits that the generator counts with.
    position: [u64; 2],
}

impl Run {
    pub(crate) fn of(epoch: usize, adam: &Adam, random: &ChaCha8Rng) -> Self {
        let position = random.get_word_pos().to_be_bytes();
        let (upper, lower) = position.as_chunks().0.split_at(1);
        let random = Random {
            seed: random.get_seed(),
            stream: random.get_stream(),
            position: [u64::from_be_bytes(upper[0]), u64::from_be_bytes(lower[0])],
        };
        Self { epoch, steps: adam.steps(), random }
    }

    /// Puts the optimiser and the generator where they stood.
    pub(crate) fn restore(&self, adam: &mut Adam, random: &mut ChaCha8Rng) {
        adam.restore(self.steps);
        *random = ChaCha8Rng::from_seed(self.random.seed);
        random.set_stream(self.random.stream);
        let [upper, lower] = self.random.position.map(u128::from);
        random.set_word_pos(upper << 64 | lower);
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn a_run_goes_on_where_it_stood() {
        let (mut adam, mut random) = (Adam::new(0.1), ChaCha8Rng::seed_from_u64(5));
        (0..7).for_each(|_| adam.advance());
        let _: [u8; 13] = random.random();
        let text = serde_json::to_string(&Run::of(3, &adam, &random)).unwrap();
        let run: Run = serde_json::from_str(&text).unwrap();
        let (mut other, mut restored) = (Adam::new(0.1), ChaCha8Rng::seed_from_u64(1));
        run.restore(&mut other, &mut restored);
        assert_eq!((run.epoch, other.steps()), (3, 7));
        assert_eq!(restored.random::<[u64; 9]>(), random.random::<[u64; 9]>());
    }
}
