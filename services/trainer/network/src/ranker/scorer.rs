//! The ranker's network and its loss, for any number type.

use ndarray::{Array2, Axis, concatenate, s};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{
    RankerConfig, Structure,
    attention::Attention,
    calibration::Calibration,
    loss::{Balance, Goal, loss},
};
use crate::{
    checkpoint::{self, Array},
    embedding::Embedding,
    error::NetworkError,
    graph::{Graph, to_i64},
    inputs::{InputLayout, Inputs},
    layer::{Branches, Chain, Crosses, Layer, Linear, Sigmoid},
    optimiser::{Adam, Parameter},
    real::Real,
    table::Table,
};

/// Tables, and the layers from the embedded row to one logit a task.
#[derive(Debug)]
pub(super) struct Scorer<T: Real> {
    pub(super) tables: Vec<Table<T>>,
    pub(super) embedding: Embedding,
    pub(super) attention: Vec<Attention<T>>,
    pub(super) body: Chain<T>,
}

impl<T: Real> Scorer<T> {
    /// The configuration has been checked against the layout.
    pub(super) fn new(layout: InputLayout, config: &RankerConfig, random: &mut impl Rng) -> Self {
        let tables = layout.tables.iter().map(|shape| Table::new(shape, random)).collect();
        let own: Vec<usize> = (0..layout.tables.len()).collect();
        let attention: Vec<Attention<T>> =
            config.attention.iter().map(|one| Attention::new(&layout, one, random)).collect();
        let alone = |bag: usize| attention.iter().any(|one| one.bag == bag && !one.config.pooled);
        let embedding = Embedding::pooling(layout, &own, |bag| !alone(bag));
        let width = embedding.width + attention.iter().map(|one| one.dimension).sum::<usize>();
        let (body, width) = trunk(config, width, random);
        let body = body.then(Linear::new(width, config.tasks.len(), random));
        Self { tables, embedding, attention, body }
    }

    /// `[rows, tasks]`.
    pub(super) fn logits(&self, inputs: &Inputs) -> Array2<T> {
        let mut parts = vec![self.embedding.forward(&self.tables, inputs)];
        parts.extend(self.attention.iter().map(|one| one.forward(&self.tables, inputs).output));
        self.body.forward(beside(parts.iter()).view()).output.into_owned()
    }

    /// The summed loss of a batch. The gradient of its mean over the rows is added to the tables
    /// and layers.
    pub(super) fn learn(
        &mut self,
        inputs: &Inputs,
        goal: &Goal<T>,
        balance: &Balance<T>,
        random: &mut ChaCha8Rng,
    ) -> T {
        let embedded = self.embedding.forward(&self.tables, inputs);
        let passes: Vec<_> =
            self.attention.iter().map(|one| one.forward(&self.tables, inputs)).collect();
        let parts = std::iter::once(&embedded).chain(passes.iter().map(|pass| &pass.output));
        let row = beside(parts);
        self.body.begin_step(inputs.rows, random);
        let trace = self.body.forward(row.view());
        let (loss, mut gradient) = loss(trace.output.view(), goal, balance);
        gradient /= T::from_count(inputs.rows);
        let gradient = self.body.backward(row.view(), &trace, gradient.view());
        self.body.end_step();
        let mut start = embedded.ncols();
        self.embedding.backward(&mut self.tables, inputs, gradient.slice(s![.., ..start]));
        for (attention, pass) in self.attention.iter_mut().zip(&passes) {
            let end = start + attention.dimension;
            let gradient = gradient.slice(s![.., start..end]);
            attention.backward(&mut self.tables, inputs, pass, gradient);
            start = end;
        }
        loss
    }

    /// Takes one step along the gradient.
    pub(super) fn step(&mut self, config: &RankerConfig, adam: &mut Adam) {
        adam.advance();
        adam.step(&mut self.tables, config.embedding_regularisation);
        let update = adam.update(config.regularisation);
        self.layers().into_iter().for_each(|layer| layer.step(&update));
    }

    /// The trained arrays besides the tables.
    pub(super) fn layers(&mut self) -> Vec<&mut Parameter<T>> {
        layers(&mut self.attention, &mut self.body)
    }

    /// One probability a task from each row's calibrated logits.
    pub(super) fn export(
        &self,
        tasks: &[String],
        calibration: &[Calibration],
    ) -> Result<Vec<u8>, NetworkError> {
        let mut graph = Graph::default();
        let pairs: Vec<(usize, usize)> =
            self.attention.iter().map(|one| (one.bag, one.column)).collect();
        let (embedded, nodes) = self.embedding.export_with(&mut graph, &self.tables, &pairs);
        let mut parts = vec![embedded];
        for (attention, nodes) in self.attention.iter().zip(&nodes) {
            parts.push(attention.export(&mut graph, nodes));
        }
        let row = graph.concat(&parts);
        let logits = self.body.export(&mut graph, &row);
        let logits = Calibration::export(calibration, &mut graph, &logits);
        let probabilities = Layer::<T>::export(&Sigmoid, &mut graph, &logits);
        for (number, task) in tasks.iter().enumerate() {
            let number = graph.integers(&[], &[to_i64(number)]);
            let column = graph.gather(&probabilities, &number, 1);
            graph.output(task, &column, None);
        }
        graph.finish("ranker")
    }
}

fn layers<'a, T: Real>(
    attention: &'a mut [Attention<T>],
    body: &'a mut Chain<T>,
) -> Vec<&'a mut Parameter<T>> {
    attention.iter_mut().flat_map(Attention::parameters).chain(body.parameters()).collect()
}

/// `[rows, a]`, `[rows, b]`, … to `[rows, a + b + …]`.
fn beside<'a, T: Real>(parts: impl Iterator<Item = &'a Array2<T>>) -> Array2<T> {
    let parts: Vec<_> = parts.map(|part| part.view()).collect();
    concatenate(Axis(1), &parts).expect("every part has the same rows")
}

/// The weights of a moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    tables: Vec<Vec<f32>>,
    layers: Vec<Vec<f32>>,
}

impl Scorer<f32> {
    /// Weights and moments, for a checkpoint.
    pub(super) fn arrays(&mut self) -> Vec<Array<'_>> {
        checkpoint::arrays(&mut self.tables, layers(&mut self.attention, &mut self.body))
    }

    pub(super) fn snapshot(&mut self) -> Snapshot {
        let values = |[value, _, _]: [&mut [f32]; 3]| value.to_vec();
        Snapshot {
            tables: self.tables.iter_mut().map(|table| values(table.state())).collect(),
            layers: self.layers().into_iter().map(|layer| values(layer.state())).collect(),
        }
    }

    pub(super) fn restore(&mut self, snapshot: Snapshot) {
        for (table, values) in self.tables.iter_mut().zip(snapshot.tables) {
            table.values = values;
        }
        for (layer, values) in self.layers().into_iter().zip(snapshot.layers) {
            let [value, _, _] = layer.state();
            value.copy_from_slice(&values);
        }
    }
}

impl Snapshot {
    /// The weights, for a checkpoint.
    pub(super) fn arrays(&mut self) -> Vec<Array<'_>> {
        let tables = self.tables.iter_mut().enumerate();
        let layers = self.layers.iter_mut().enumerate();
        let tables = tables.map(|(number, cells)| (format!("best.table.{number}"), cells));
        let layers = layers.map(|(number, cells)| (format!("best.layer.{number}"), cells));
        tables.chain(layers).map(|(name, cells)| Array { name, cells }).collect()
    }
}

/// The layers before the heads, and their width.
fn trunk<T: Real>(config: &RankerConfig, width: usize, random: &mut impl Rng) -> (Chain<T>, usize) {
    let crosses = Crosses::new(width, config.cross_layers, config.cross_rank, random);
    let crosses = Chain::new().then(crosses);
    let deep = Chain::perceptron_with_dropout(width, &config.hidden, config.dropout, random);
    let Some(&deep_width) = config.hidden.last() else {
        return (crosses, width);
    };
    match config.structure {
        Structure::Stacked => (crosses.then(deep), deep_width),
        Structure::Parallel if config.cross_layers == 0 => (deep, deep_width),
        Structure::Parallel => {
            let branches = Branches { left: crosses, right: deep };
            (Chain::new().then(branches), width + deep_width)
        }
    }
}
