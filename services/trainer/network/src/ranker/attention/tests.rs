use ndarray::array;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::{
    embedding::tests::{inputs, layout, tables},
    layer::tests::{assert_close, random},
};

fn config(weights: AttentionWeights) -> AttentionConfig {
    AttentionConfig { hidden: vec![4], weights, ..AttentionConfig::new("history", "item") }
}

fn attention(weights: AttentionWeights) -> Attention<f64> {
    Attention::new(&layout(), &config(weights), &mut ChaCha8Rng::seed_from_u64(3))
}

/// The unit as the paper draws it, on `[h, t, h ⊙ t, h - t]` with one matrix.
struct Paper {
    first: Array2<f64>,
    bias: Array2<f64>,
    last: Array2<f64>,
    last_bias: f64,
}

impl Paper {
    fn score(&self, h: &[f64], t: &[f64]) -> f64 {
        let mut input = [h, t].concat();
        input.extend(h.iter().zip(t).map(|(h, t)| h * t));
        input.extend(h.iter().zip(t).map(|(h, t)| h - t));
        let mut score = self.last_bias;
        for unit in 0..self.first.ncols() {
            let sum: f64 = input.iter().zip(self.first.column(unit)).map(|(x, w)| x * w).sum();
            score += (sum + self.bias[[0, unit]]).max(0.0) * self.last[[unit, 0]];
        }
        score
    }
}

/// Gives the attention random parameters, and the paper's unit the same function.
fn paper(attention: &mut Attention<f64>) -> Paper {
    let first = random(12, 4, 21);
    let part = |number: usize| first.slice(ndarray::s![number * 3..number * 3 + 3, ..]).to_owned();
    let [history, target, bias, product, last, last_bias] = &mut attention.parameters()[..] else {
        panic!("other parameters")
    };
    history.value.assign(&(part(0) + part(3)));
    target.value.assign(&(part(1) - part(3)));
    product.value.assign(&part(2));
    bias.value.assign(&random(1, 4, 22));
    last.value.assign(&random(4, 1, 23));
    last_bias.value.fill(0.25);
    Paper { first, bias: bias.value.clone(), last: last.value.clone(), last_bias: 0.25 }
}

#[test]
fn equals_the_paper() {
    let (inputs, tables) = (inputs(), tables(&layout()));
    for kind in [AttentionWeights::Raw, AttentionWeights::Softmax] {
        let mut attention = attention(kind);
        let paper = paper(&mut attention);
        let output = attention.forward(&tables, &inputs).output;
        for row in 0..inputs.rows {
            let vector = |id: i64| tables[0].row(usize::try_from(id).unwrap());
            let ids = inputs.bags[0].row(row);
            let entries: Vec<&[f64]> =
                ids.iter().filter(|id| **id != 0).map(|id| vector(*id)).collect();
            let target = vector(inputs.ids[[row, 1]]);
            let mut weights: Vec<f64> =
                entries.iter().map(|entry| paper.score(entry, target)).collect();
            if kind == AttentionWeights::Softmax {
                let sum: f64 = weights.iter().map(|score| score.exp()).sum();
                weights.iter_mut().for_each(|score| *score = score.exp() / sum);
            }
            for cell in 0..3 {
                let expected: f64 =
                    entries.iter().zip(&weights).map(|(entry, weight)| weight * entry[cell]).sum();
                assert_close(output[[row, cell]], expected, &format!("{kind:?} row {row}"));
            }
        }
    }
}

#[test]
fn padding_changes_nothing() {
    let tables = tables(&layout());
    for kind in [AttentionWeights::Raw, AttentionWeights::Softmax] {
        let attention = attention(kind);
        let output = |history: Array2<i64>| {
            let mut inputs = inputs().select(&[3]);
            inputs.bags[0] = history;
            attention.forward(&tables, &inputs).output
        };
        let short = output(array![[2, 5]]);
        let long = output(array![[2, 0, 0, 5, 0]]);
        assert!((&short - &long).iter().all(|cell| cell.abs() < 1e-12), "{kind:?}");
        assert_eq!(output(array![[0, 0]]), Array2::<f64>::zeros((1, 3)), "{kind:?}: empty");
    }
}

#[test]
fn gradients() {
    for weights in [AttentionWeights::Raw, AttentionWeights::Softmax] {
        for hidden in [vec![], vec![4], vec![4, 3]] {
            let config = AttentionConfig { hidden, ..config(weights) };
            let random = &mut ChaCha8Rng::seed_from_u64(3);
            check_gradients(Attention::new(&layout(), &config, random), &format!("{config:?}"));
        }
    }
}

fn check_gradients(mut attention: Attention<f64>, what: &str) {
    let inputs = inputs();
    let mut tables = tables(&layout());
    tables[0].values.iter_mut().for_each(|value| *value *= 10.0);
    let slopes = random(inputs.rows, 3, 4);
    // Biases start at zero, where a ReLU has no derivative for a row of padding.
    for (seed, parameter) in (20..).zip(attention.parameters()) {
        let (rows, columns) = parameter.value.dim();
        parameter.value += &random(rows, columns, seed);
    }
    let pass = attention.forward(&tables, &inputs);
    attention.backward(&mut tables, &inputs, &pass, slopes.view());
    let gradients: Vec<Array2<f64>> =
        attention.parameters().iter().map(|parameter| parameter.gradient.clone()).collect();
    let loss = |attention: &Attention<f64>, tables: &[Table<f64>]| {
        (&attention.forward(tables, &inputs).output * &slopes).sum()
    };
    for (number, gradient) in gradients.iter().enumerate() {
        for cell in ndarray::indices(gradient.dim()) {
            let mut at = |step: f64| {
                attention.parameters()[number].value[cell] += step;
                loss(&attention, &tables)
            };
            let numeric = (at(1e-6) - at(-2e-6)) / 2e-6;
            at(1e-6);
            assert_close(gradient[cell], numeric, &format!("{what}: parameter {number} {cell:?}"));
        }
    }
    for cell in 3..tables[0].values.len() {
        let analytic = tables[0].gradient(cell / 3).map_or(0.0, |gradient| gradient[cell % 3]);
        let mut at = |step: f64| {
            tables[0].values[cell] += step;
            loss(&attention, &tables)
        };
        let numeric = (at(1e-6) - at(-2e-6)) / 2e-6;
        at(1e-6);
        assert_close(analytic, numeric, &format!("{what}: table cell {cell}"));
    }
    assert_eq!(tables[0].gradient(0), None, "padding takes a gradient");
}
