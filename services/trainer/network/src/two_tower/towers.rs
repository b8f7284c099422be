//! The two networks and their common loss, for any number type.

use ndarray::{Array2, Axis, s};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Objective, TwoTowerConfig};
use crate::{
    checkpoint::{self, Array},
    embedding::Embedding,
    error::NetworkError,
    inputs::{InputLayout, Inputs},
    layer::Layer,
    optimiser::{Adam, Parameter},
    product::product,
    real::Real,
    recall::{
        course::{Batch, Plan, Student},
        softmax::{Columns, sampled_softmax},
        tower::{Tower, TowerShape, share_tables},
    },
    table::Table,
};

/// Both towers, over tables that they may share.
#[derive(Debug)]
pub(super) struct Towers<T: Real> {
    pub(super) tables: Vec<Table<T>>,
    pub(super) user: Tower<T>,
    pub(super) item: Tower<T>,
}

/// The users of a batch.
#[derive(Debug)]
pub(super) struct Users<'a, T> {
    pub(super) inputs: &'a Inputs,
    /// How much each row counts for each objective `[rows, objectives]`; without, there is one
    /// objective, for which each row counts one.
    pub(super) weights: Option<&'a Array2<T>>,
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
        let TwoTowerConfig { dimension, senet, .. } = *config;
        let objectives: Vec<f32> = config.objectives.iter().map(Objective::weight).collect();
        let hidden = &config.item_hidden;
        let item_shape = TowerShape { hidden, dimension, senet, objectives: &[] };
        let hidden = &config.user_hidden;
        let user_shape = TowerShape { hidden, objectives: &objectives, ..item_shape };
        Ok(Self {
            tables,
            user: Tower::new(user, &user_shape, random),
            item: Tower::new(item, &item_shape, random),
        })
    }

    /// The mean loss of a batch; its gradient is added to the tables and layers.
    pub(super) fn learn(
        &mut self,
        &Users { inputs: users, weights }: &Users<'_, T>,
        items: &Inputs,
        columns: &Columns<T>,
        temperature: T,
    ) -> T {
        let Self { tables, user, item } = self;
        let (user_pass, item_pass) =
            rayon::join(|| user.forward(tables, users), || item.forward(tables, items));
        let (user_vectors, item_vectors) = (user_pass.vectors(), item_pass.vectors());
        let mut loss = T::zero();
        let mut user_gradient = Array2::zeros(user_vectors.dim());
        let mut item_gradient = Array2::zeros(item_vectors.dim());
        let dimension = item_vectors.ncols();
        for objective in 0..user_vectors.ncols() / dimension {
            let cells = s![.., objective * dimension..(objective + 1) * dimension];
            let vectors = user_vectors.slice(cells);
            let scores = product(vectors, item_vectors.t());
            let weights = weights.map(|weights| weights.column(objective));
            let (part, gradient) = sampled_softmax(scores, columns, weights, temperature);
            loss += part;
            user_gradient.slice_mut(cells).assign(&product(gradient.view(), item_vectors));
            item_gradient += &product(gradient.t(), vectors);
        }
        let (user_gradient, item_gradient) = rayon::join(
            || user.backward(&user_pass, user_gradient.view()),
            || item.backward(&item_pass, item_gradient.view()),
        );
        user.embedding.backward(tables, users, user_gradient.view());
        item.embedding.backward(tables, items, item_gradient.view());
        loss
    }

    /// The trained arrays besides the tables.
    pub(super) fn layers(&mut self) -> Vec<&mut Parameter<T>> {
        let mut layers = self.user.body.parameters();
        layers.extend(self.item.body.parameters());
        layers
    }
}

impl Student for Towers<f32> {
    const NAME: &'static str = "two-tower model";
    type Config = TwoTowerConfig;

    fn plan(config: &TwoTowerConfig) -> Plan {
        config.plan()
    }

    fn new(
        user: InputLayout,
        item: InputLayout,
        config: &TwoTowerConfig,
        random: &mut ChaCha8Rng,
    ) -> Result<Self, NetworkError> {
        Self::new(user, item, config, random)
    }

    fn check_users(&self, users: &Inputs) -> Result<(), NetworkError> {
        self.user.check(users)
    }

    fn check_items(&self, items: &Inputs) -> Result<(), NetworkError> {
        self.item.check(items)
    }

    /// [`Towers::learn`] on the drawn items, then one step.
    fn learn(&mut self, batch: &Batch<'_>, config: &TwoTowerConfig, adam: &mut Adam) -> f32 {
        let Batch { examples, rows, users, sample } = batch;
        let items = examples.items.select(&sample.items);
        let objectives = examples.objectives.filter(|_| !config.objectives.is_empty());
        let weights = objectives.map(|objectives| objectives.select(Axis(0), rows));
        let users = Users { inputs: users, weights: weights.as_ref() };
        let loss = self.learn(&users, &items, &sample.columns, config.temperature);
        adam.advance();
        adam.step(&mut self.tables, config.embedding_regularisation);
        let update = adam.update(config.regularisation);
        self.layers().into_iter().for_each(|layer| layer.step(&update));
        loss
    }

    fn arrays(&mut self) -> Vec<Array<'_>> {
        let Self { tables, user, item } = self;
        let mut layers = user.body.parameters();
        layers.extend(item.body.parameters());
        checkpoint::arrays(tables, layers)
    }
}
