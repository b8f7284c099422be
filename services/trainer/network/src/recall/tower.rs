//! Embedding, layers, unit length: what makes an item's vector, and a user's.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};
use rand::Rng;

use crate::{
    embedding::Embedding,
    error::NetworkError,
    graph::Graph,
    inputs::{InputLayout, Inputs, TableShape},
    layer::{Chain, Layer, Linear, Normalise, NormaliseParts, Senet, Trace},
    product::product,
    real::Real,
    table::Table,
};

/// Rows that inference computes at once.
pub(crate) const CHUNK: usize = 4096;

/// How a tower is built.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TowerShape<'a> {
    /// Widths of the hidden layers.
    pub(crate) hidden: &'a [usize],
    pub(crate) dimension: usize,
    /// Whether the embedded columns are weighed against each other first.
    pub(crate) senet: bool,
    /// For each objective, the weight of its vector in the served one; a single vector is served
    /// as it is.
    pub(crate) objectives: &'a [f32],
}

/// Embedding, MLP, unit length.
#[derive(Debug)]
pub(crate) struct Tower<T: Real> {
    pub(crate) embedding: Embedding,
    /// Gives one vector an objective, side by side.
    pub(crate) body: Chain<T>,
    /// From the vectors of several objectives to the served one.
    fusion: Option<Array2<T>>,
}

/// A tower's forward pass.
pub(crate) struct Pass<T> {
    embedded: Array2<T>,
    trace: Trace<T>,
}

impl<T: Real> Tower<T> {
    pub(crate) fn new(embedding: Embedding, shape: &TowerShape<'_>, random: &mut impl Rng) -> Self {
        let TowerShape { hidden, dimension, senet, objectives } = *shape;
        let inputs = embedding.width;
        let width = hidden.last().copied().unwrap_or(inputs);
        let vectors = objectives.len().max(1);
        let mut body = Chain::new();
        if senet {
            body = body.then(Senet::new(inputs, &columns(&embedding.layout), random));
        }
        let body = body
            .then(Chain::perceptron(inputs, hidden, random))
            .then(Linear::new(width, vectors * dimension, random))
            .then(NormaliseParts { parts: vectors, length: dimension });
        let fusion = (vectors > 1).then(|| fusion(objectives, dimension));
        Self { embedding, body, fusion }
    }

    pub(crate) fn check(&self, inputs: &Inputs) -> Result<(), NetworkError> {
        self.embedding.check(inputs)
    }

    /// `[rows, dimension]`, computed in pieces that fit the cache.
    pub(crate) fn vectors(&self, tables: &[Table<T>], inputs: &Inputs) -> Array2<T> {
        let mut vectors = Vec::new();
        let mut dimension = 0;
        for from in (0..inputs.rows.max(1)).step_by(CHUNK) {
            let rows: Vec<usize> = (from..inputs.rows.min(from + CHUNK)).collect();
            let pass = self.forward(tables, &inputs.select(&rows));
            let served = match &self.fusion {
                None => pass.trace.output,
                Some(fusion) => {
                    let sums = product(pass.vectors(), fusion.view());
                    Normalise.forward(sums.view()).output
                }
            };
            dimension = served.ncols();
            vectors.extend(served.iter().copied());
        }
        Array2::from_shape_vec((inputs.rows, dimension), vectors)
            .expect("every row gives one vector")
    }

    pub(crate) fn export(
        &self,
        tables: &[Table<T>],
        name: &str,
        dimension: usize,
    ) -> Result<Vec<u8>, NetworkError> {
        let mut graph = Graph::default();
        let embedded = self.embedding.export(&mut graph, tables);
        let mut vector = self.body.export(&mut graph, &embedded);
        if let Some(fusion) = &self.fusion {
            let fusion = graph.matrix(fusion);
            vector = graph.node("MatMul", &[&vector, &fusion]);
            vector = Layer::<T>::export(&Normalise, &mut graph, &vector);
        }
        graph.output("vector", &vector, Some(dimension));
        graph.finish(name)
    }

    pub(crate) fn forward(&self, tables: &[Table<T>], inputs: &Inputs) -> Pass<T> {
        let embedded = self.embedding.forward(tables, inputs);
        let trace = self.body.forward(embedded.view());
        Pass { embedded, trace }
    }

    pub(crate) fn backward(&mut self, pass: &Pass<T>, gradient: ArrayView2<'_, T>) -> Array2<T> {
        self.body.backward(pass.embedded.view(), &pass.trace, gradient)
    }
}

impl<T: Real> Pass<T> {
    pub(crate) fn vectors(&self) -> ArrayView2<'_, T> {
        self.trace.output.view()
    }
}

/// The cells of each id column and bag in the embedded row.
fn columns(layout: &InputLayout) -> Vec<Range<usize>> {
    let tables = layout.ids.iter().map(|id| id.table).chain(layout.bags.iter().map(|b| b.table));
    let ends = tables.scan(0, |end, table| {
        let start = *end;
        *end += layout.tables[table].dimension;
        Some(start..*end)
    });
    ends.collect()
}

/// The weighted sum of vectors that stand side by side, as a matrix. A query with it scores an
/// item with the weighted sum of the objectives' scores.
fn fusion<T: Real>(weights: &[f32], dimension: usize) -> Array2<T> {
    let mut matrix = Array2::zeros((weights.len() * dimension, dimension));
    for (number, &weight) in weights.iter().enumerate() {
        for cell in 0..dimension {
            matrix[[number * dimension + cell, cell]] = T::from_f64(f64::from(weight));
        }
    }
    matrix
}

/// Adds the item layout's own tables to `shapes`; gives the place of each of its tables.
pub(crate) fn share_tables(
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
