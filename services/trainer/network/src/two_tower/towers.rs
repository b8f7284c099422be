//! The two networks and their common loss, for any number type.

use ndarray::{Array2, ArrayView2};
use rand::Rng;

use super::{
    TwoTowerConfig,
    sampling::Sample,
    softmax::{Columns, sampled_softmax},
};
use crate::{
    embedding::Embedding,
    error::NetworkError,
    graph::Graph,
    inputs::{InputLayout, Inputs, TableShape},
    layer::{Chain, Layer, Linear, Normalise, Trace},
    optimiser::{Adam, Parameter},
    product::product,
    real::Real,
    table::Table,
};

/// Rows that inference computes at once.
const CHUNK: usize = 4096;

/// Both towers, over tables that they may share.
#[derive(Debug)]
pub(super) struct Towers<T: Real> {
    pub(super) tables: Vec<Table<T>>,
    pub(super) user: Tower<T>,
    pub(super) item: Tower<T>,
}

/// Embedding, MLP, unit length.
#[derive(Debug)]
pub(super) struct Tower<T: Real> {
    embedding: Embedding,
    body: Chain<T>,
}

/// A tower's forward pass.
struct Pass<T> {
    embedded: Array2<T>,
    trace: Trace<T>,
}

impl<T: Real> Towers<T> {
    pub(super) fn new(
        user: InputLayout,
        item: InputLayout,
        config: &TwoTowerConfig,
        random: &mut impl Rng,
    ) -> Result<Self, NetworkError> {
        let mut shapes = user.tables.clone();
        let places = share_tables(&mut shapes, &item, &config.shared_tables)?;
        let tables = shapes.iter().map(|shape| Table::new(shape, random)).collect();
        let own: Vec<usize> = (0..user.tables.len()).collect();
        let user = Embedding::new(user, &own);
        let item = Embedding::new(item, &places);
        Ok(Self {
            tables,
            user: Tower::new(user, &config.user_hidden, config.dimension, random),
            item: Tower::new(item, &config.item_hidden, config.dimension, random),
        })
    }

    /// The mean loss of a batch; its gradient is added to the tables and layers.
    pub(super) fn learn(
        &mut self,
        users: &Inputs,
        items: &Inputs,
        columns: &Columns<T>,
        temperature: T,
    ) -> T {
        let Self { tables, user, item } = self;
        let (user_pass, item_pass) =
            rayon::join(|| user.forward(tables, users), || item.forward(tables, items));
        let (user_vectors, item_vectors) = (user_pass.vectors(), item_pass.vectors());
        let scores = product(user_vectors, item_vectors.t());
        let (loss, gradient) = sampled_softmax(scores.view(), columns, temperature);
        let (user_gradient, item_gradient) = rayon::join(
            || user.backward(&user_pass, product(gradient.view(), item_vectors).view()),
            || item.backward(&item_pass, product(gradient.t(), user_vectors).view()),
        );
        user.embedding.backward(tables, users, user_gradient.view());
        item.embedding.backward(tables, items, item_gradient.view());
        loss
    }

    /// [`Towers::learn`] on drawn items, then one step.
    pub(super) fn train(
        &mut self,
        users: &Inputs,
        catalogue: &Inputs,
        sample: &Sample<T>,
        config: &TwoTowerConfig,
        adam: &mut Adam,
    ) -> T {
        let items = catalogue.select(&sample.items);
        let temperature = T::from_f64(f64::from(config.temperature));
        let loss = self.learn(users, &items, &sample.columns, temperature);
        adam.advance();
        adam.step(&mut self.tables, config.embedding_regularisation);
        let update = adam.update(config.regularisation);
        self.layers().into_iter().for_each(|layer| layer.step(&update));
        loss
    }

    /// The trained arrays besides the tables.
    pub(super) fn layers(&mut self) -> Vec<&mut Parameter<T>> {
        let mut layers = self.user.body.parameters();
        layers.extend(self.item.body.parameters());
        layers
    }
}

impl<T: Real> Tower<T> {
    fn new(
        embedding: Embedding,
        hidden: &[usize],
        dimension: usize,
        random: &mut impl Rng,
    ) -> Self {
        let width = hidden.last().copied().unwrap_or(embedding.width);
        let body = Chain::perceptron(embedding.width, hidden, random)
            .then(Linear::new(width, dimension, random))
            .then(Normalise);
        Self { embedding, body }
    }

    pub(super) fn check(&self, inputs: &Inputs) -> Result<(), NetworkError> {
        self.embedding.check(inputs)
    }

    /// `[rows, dimension]`, computed in pieces that fit the cache.
    pub(super) fn vectors(&self, tables: &[Table<T>], inputs: &Inputs) -> Array2<T> {
        let mut vectors = Vec::new();
        let mut dimension = 0;
        for from in (0..inputs.rows.max(1)).step_by(CHUNK) {
            let rows: Vec<usize> = (from..inputs.rows.min(from + CHUNK)).collect();
            let pass = self.forward(tables, &inputs.select(&rows));
            dimension = pass.vectors().ncols();
            vectors.extend(pass.vectors().iter().copied());
        }
        Array2::from_shape_vec((inputs.rows, dimension), vectors)
            .expect("every row gives one vector")
    }

    pub(super) fn export(
        &self,
        tables: &[Table<T>],
        name: &str,
        dimension: usize,
    ) -> Result<Vec<u8>, NetworkError> {
        let mut graph = Graph::default();
        let embedded = self.embedding.export(&mut graph, tables);
        let vector = self.body.export(&mut graph, &embedded);
        graph.output("vector", &vector, Some(dimension));
        graph.finish(name)
    }

    fn forward(&self, tables: &[Table<T>], inputs: &Inputs) -> Pass<T> {
        let embedded = self.embedding.forward(tables, inputs);
        let trace = self.body.forward(embedded.view());
        Pass { embedded, trace }
    }

    fn backward(&mut self, pass: &Pass<T>, gradient: ArrayView2<'_, T>) -> Array2<T> {
        self.body.backward(pass.embedded.view(), &pass.trace, gradient)
    }
}

impl<T: Real> Pass<T> {
    fn vectors(&self) -> ArrayView2<'_, T> {
        self.trace.output.view()
    }
}

/// Adds the item layout's own tables to `shapes`; gives the place of each of its tables.
fn share_tables(
    shapes: &mut Vec<TableShape>,
    item: &InputLayout,
    shared: &[String],
) -> Result<Vec<usize>, NetworkError> {
    let users = shapes.len();
    for name in shared {
        let user = shapes[..users].iter().find(|shape| &shape.name == name);
        let item = item.tables.iter().find(|shape| &shape.name == name);
        if user.is_none() || user != item {
            let reason = format!("{name} is not a table of the same shape in both towers");
            return Err(NetworkError::config("shared_tables", reason));
        }
    }
    let place = |shape: &TableShape| {
        if let Some(place) = shapes[..users].iter().position(|user| user.name == shape.name)
            && shared.contains(&shape.name)
        {
            return place;
        }
        shapes.push(shape.clone());
        shapes.len() - 1
    };
    Ok(item.tables.iter().map(place).collect())
}
