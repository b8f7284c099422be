//! The ranker's network and its loss, for any number type.

use ndarray::Array2;
use rand::Rng;

use super::{
    RankerConfig, Structure,
    log_loss::{Goal, log_loss},
};
use crate::{
    embedding::Embedding,
    error::NetworkError,
    graph::{Graph, to_i64},
    inputs::{InputLayout, Inputs},
    layer::{Branches, Chain, Crosses, Layer, Linear, Sigmoid},
    optimiser::Adam,
    real::Real,
    table::Table,
};

/// Tables, and the layers from the embedded row to one logit a task.
#[derive(Debug)]
pub(super) struct Scorer<T: Real> {
    pub(super) tables: Vec<Table<T>>,
    pub(super) embedding: Embedding,
    pub(super) body: Chain<T>,
}

/// The weights of a moment.
#[derive(Debug)]
pub(super) struct Snapshot<T> {
    tables: Vec<Vec<T>>,
    layers: Vec<Array2<T>>,
}

impl<T: Real> Scorer<T> {
    pub(super) fn new(layout: InputLayout, config: &RankerConfig, random: &mut impl Rng) -> Self {
        let tables = layout.tables.iter().map(|shape| Table::new(shape, random)).collect();
        let own: Vec<usize> = (0..layout.tables.len()).collect();
        let embedding = Embedding::new(layout, &own);
        let (body, width) = trunk(config, embedding.width, random);
        let body = body.then(Linear::new(width, config.tasks.len(), random));
        Self { tables, embedding, body }
    }

    /// `[rows, tasks]`.
    pub(super) fn logits(&self, inputs: &Inputs) -> Array2<T> {
        let embedded = self.embedding.forward(&self.tables, inputs);
        self.body.forward(embedded.view()).output.into_owned()
    }

    /// `[rows, tasks]`.
    pub(super) fn probabilities(&self, inputs: &Inputs) -> Array2<T> {
        Sigmoid.forward(self.logits(inputs).view()).output.into_owned()
    }

    /// The summed loss of a batch. The gradient of its mean over the rows is added to the tables
    /// and layers.
    pub(super) fn learn(&mut self, inputs: &Inputs, goal: &Goal<T>, task_weights: &[T]) -> T {
        let embedded = self.embedding.forward(&self.tables, inputs);
        let trace = self.body.forward(embedded.view());
        let (loss, mut gradient) = log_loss(trace.output.view(), goal, task_weights);
        gradient /= T::from_count(inputs.rows);
        let gradient = self.body.backward(embedded.view(), &trace, gradient.view());
        self.embedding.backward(&mut self.tables, inputs, gradient.view());
        loss
    }

    /// Takes one step along the gradient.
    pub(super) fn step(&mut self, config: &RankerConfig, adam: &mut Adam) {
        adam.advance();
        adam.step(&mut self.tables, config.embedding_regularisation);
        let update = adam.update(config.regularisation);
        self.body.parameters().into_iter().for_each(|layer| layer.step(&update));
    }

    pub(super) fn snapshot(&mut self) -> Snapshot<T> {
        Snapshot {
            tables: self.tables.iter().map(|table| table.values.clone()).collect(),
            layers: self.body.parameters().iter().map(|layer| layer.value.clone()).collect(),
        }
    }

    pub(super) fn restore(&mut self, snapshot: Snapshot<T>) {
        for (table, values) in self.tables.iter_mut().zip(snapshot.tables) {
            table.values = values;
        }
        for (layer, value) in self.body.parameters().into_iter().zip(snapshot.layers) {
            layer.value = value;
        }
    }

    pub(super) fn export(&self, tasks: &[String]) -> Result<Vec<u8>, NetworkError> {
        let mut graph = Graph::default();
        let embedded = self.embedding.export(&mut graph, &self.tables);
        let logits = self.body.export(&mut graph, &embedded);
        let probabilities = Layer::<T>::export(&Sigmoid, &mut graph, &logits);
        for (number, task) in tasks.iter().enumerate() {
            let number = graph.integers(&[], &[to_i64(number)]);
            let column = graph.gather(&probabilities, &number, 1);
            graph.output(task, &column, None);
        }
        graph.finish("ranker")
    }
}

/// The layers before the heads, and their width.
fn trunk<T: Real>(config: &RankerConfig, width: usize, random: &mut impl Rng) -> (Chain<T>, usize) {
    let crosses = Crosses::new(width, config.cross_layers, config.cross_rank, random);
    let crosses = Chain::new().then(crosses);
    let deep = Chain::perceptron(width, &config.hidden, random);
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
