//! The user's side: routing, capsules, and the layers that make each of them a unit vector.

use ndarray::{Array2, Array3, ArrayView2, Axis, concatenate, s};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{
    MultiInterestConfig,
    routing::{Routing, Shares},
};
use crate::{
    embedding::Embedding,
    error::NetworkError,
    inputs::{InputLayout, Inputs},
    layer::{Chain, Layer, Linear, Normalise, Squash, Trace},
    optimiser::Parameter,
    real::Real,
    recall::tower::CHUNK,
    table::Table,
};

/// From a user's columns to a few unit vectors.
#[derive(Debug)]
pub(super) struct Interests<T: Real> {
    /// All columns but the sequence make the row that stands beside every capsule.
    pub(super) others: Embedding,
    /// Number of the bag that is routed.
    pub(super) sequence: usize,
    /// Number of its table.
    pub(super) table: usize,
    /// The directions of the first logits `[interests, dimension of the table]`; not trained.
    pub(super) start: Array2<T>,
    pub(super) map: Linear<T>,
    pub(super) body: Chain<T>,
    pub(super) iterations: usize,
}

/// The forward pass of a batch.
#[derive(Debug)]
pub(super) struct Pass<T> {
    pooled: Array2<T>,
    mapped: Trace<T>,
    owners: Vec<usize>,
    /// `[interests, capsule and other columns]`.
    rows: Array2<T>,
    trace: Trace<T>,
}

impl<T: Real> Pass<T> {
    /// `[interests, dimension]`.
    pub(super) fn vectors(&self) -> ArrayView2<'_, T> {
        self.trace.output.view()
    }

    /// `[interests, dimension]`.
    #[cfg(test)]
    pub(super) fn capsules(&self) -> ArrayView2<'_, T> {
        self.rows.slice(s![.., ..self.mapped.output.ncols()])
    }
}

impl<T: Real> Interests<T> {
    pub(super) fn new(
        layout: InputLayout,
        config: &MultiInterestConfig,
        random: &mut impl Rng,
    ) -> Result<Self, NetworkError> {
        let sequence = layout.bags.iter().position(|bag| bag.name == config.sequence);
        let sequence = sequence.ok_or_else(|| {
            let reason = format!("{} is not a bag of the user's columns", config.sequence);
            NetworkError::config("sequence", reason)
        })?;
        let table = layout.bags[sequence].table;
        let inputs = layout.tables[table].dimension;
        let own: Vec<usize> = (0..layout.tables.len()).collect();
        let others = Embedding::pooling(layout, &own, |bag| bag != sequence);
        let start = Array2::from_shape_simple_fn((config.interests, inputs), || {
            T::from_f64(StandardNormal.sample(random))
        });
        let map = Linear::without_bias(inputs, config.dimension, random);
        let width = config.dimension + others.width;
        let last = config.user_hidden.last().copied().unwrap_or(width);
        let body = Chain::perceptron(width, &config.user_hidden, random)
            .then(Linear::new(last, config.dimension, random))
            .then(Normalise);
        Ok(Self { others, sequence, table, start, map, body, iterations: config.iterations })
    }

    pub(super) fn check(&self, inputs: &Inputs) -> Result<(), NetworkError> {
        self.others.check(inputs)
    }

    /// How much of each behaviour goes to each interest.
    pub(super) fn route(&self, tables: &[Table<T>], inputs: &Inputs) -> Shares<T> {
        let Self { start, iterations, .. } = self;
        let (table, map) = (&tables[self.table], self.map.weights());
        Routing { table, map, start, iterations: *iterations }.route(self.history(inputs))
    }

    /// The unit vectors of the interests in use, the shares held fixed.
    pub(super) fn forward(
        &self,
        tables: &[Table<T>],
        inputs: &Inputs,
        shares: &Shares<T>,
    ) -> Pass<T> {
        let pooled = shares.pool(&tables[self.table], self.history(inputs));
        let mapped = self.map.forward(pooled.view());
        let capsules = Squash.forward(mapped.output.view()).output;
        let owners = shares.owners();
        let others = self.embed_others(tables, inputs).select(Axis(0), &owners);
        let rows = concatenate(Axis(1), &[capsules.view(), others.view()])
            .expect("every interest has its user's columns beside it");
        let trace = self.body.forward(rows.view());
        Pass { pooled, mapped, owners, rows, trace }
    }

    /// Adds the gradient of the tables and layers to theirs.
    pub(super) fn backward(
        &mut self,
        tables: &mut [Table<T>],
        inputs: &Inputs,
        (shares, pass): (&Shares<T>, &Pass<T>),
        gradient: ArrayView2<'_, T>,
    ) {
        let gradient = self.body.backward(pass.rows.view(), &pass.trace, gradient);
        let (capsules, others) = gradient.view().split_at(Axis(1), pass.mapped.output.ncols());
        let mapped = Squash.backward(pass.mapped.output.view(), &pass.mapped, capsules);
        let pooled = self.map.backward(pass.pooled.view(), &pass.mapped, mapped.view());
        shares.backward(&mut tables[self.table], self.history(inputs), pooled.view());
        if self.others.width > 0 {
            let mut sums = Array2::zeros((inputs.rows, self.others.width));
            for (&owner, part) in pass.owners.iter().zip(others.rows()) {
                sums.row_mut(owner).scaled_add(T::one(), &part);
            }
            self.others.backward(tables, inputs, sums.view());
        }
    }

    /// `[rows, interests, dimension]`; those not in use are zero.
    pub(super) fn vectors(&self, tables: &[Table<T>], inputs: &Inputs) -> Array3<T> {
        let maximum = self.start.nrows();
        let mut vectors = Array3::zeros((inputs.rows, maximum, self.map.weights().ncols()));
        for from in (0..inputs.rows).step_by(CHUNK) {
            let rows: Vec<usize> = (from..inputs.rows.min(from + CHUNK)).collect();
            let inputs = inputs.select(&rows);
            let shares = self.route(tables, &inputs);
            let pass = self.forward(tables, &inputs, &shares);
            for (number, vector) in pass.vectors().rows().into_iter().enumerate() {
                let owner = pass.owners[number];
                let place = s![from + owner, number - shares.starts[owner], ..];
                vectors.slice_mut(place).assign(&vector);
            }
        }
        vectors
    }

    pub(super) fn parameters(&mut self) -> Vec<&mut Parameter<T>> {
        let mut parameters = self.map.parameters();
        parameters.extend(self.body.parameters());
        parameters
    }

    fn history<'a>(&self, inputs: &'a Inputs) -> ArrayView2<'a, i64> {
        inputs.bags[self.sequence].view()
    }

    fn embed_others(&self, tables: &[Table<T>], inputs: &Inputs) -> Array2<T> {
        match self.others.width {
            0 => Array2::zeros((inputs.rows, 0)),
            _ => self.others.forward(tables, inputs),
        }
    }
}
