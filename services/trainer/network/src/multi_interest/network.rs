//! The user's and the item's side and their common loss, for any number type.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{
    MultiInterestConfig,
    interests::Interests,
    loss::{Loss, Vectors},
    routing::Shares,
};
use crate::{
    checkpoint::{self, Array},
    embedding::Embedding,
    error::NetworkError,
    inputs::{InputLayout, Inputs},
    layer::Layer,
    optimiser::{Adam, Parameter},
    real::Real,
    recall::{
        course::{Batch, Plan, Student},
        softmax::Columns,
        tower::{Tower, TowerShape, share_tables},
    },
    table::Table,
};

/// Both sides, over tables that they may share.
#[derive(Debug)]
pub(super) struct Network<T: Real> {
    pub(super) tables: Vec<Table<T>>,
    pub(super) user: Interests<T>,
    pub(super) item: Tower<T>,
    loss: Loss<T>,
}

impl<T: Real> Network<T> {
    pub(super) fn new(
        user: InputLayout,
        item: InputLayout,
        config: &MultiInterestConfig,
        random: &mut impl Rng,
    ) -> Result<Self, NetworkError> {
        let mut shapes = user.tables.clone();
        let places = share_tables(&mut shapes, &item, &config.shared_tables)?;
        let tables = shapes.iter().map(|shape| Table::new(shape, random)).collect();
        let item = Embedding::new(item, &places);
        Ok(Self {
            tables,
            user: Interests::new(user, config, random)?,
            item: Tower::new(item, &item_shape(config), random),
            loss: Loss {
                power: T::from_f64(f64::from(config.attention_power)),
                temperature: T::from_f64(f64::from(config.temperature)),
                negatives: config.negative_scores,
            },
        })
    }

    /// The mean loss of a batch; its gradient is added to the tables and layers. None flows
    /// through the shares.
    pub(super) fn learn(
        &mut self,
        users: &Inputs,
        items: &Inputs,
        columns: &Columns<T>,
        shares: &Shares<T>,
    ) -> T {
        let Self { tables, user, item, loss } = self;
        let (user_pass, item_pass) =
            rayon::join(|| user.forward(tables, users, shares), || item.forward(tables, items));
        let vectors = Vectors {
            interests: user_pass.vectors(),
            starts: &shares.starts,
            items: item_pass.vectors(),
        };
        let slopes = loss.slopes(&vectors, columns);
        let item_gradient = item.backward(&item_pass, slopes.items.view());
        item.embedding.backward(tables, items, item_gradient.view());
        user.backward(tables, users, (shares, &user_pass), slopes.interests.view());
        slopes.loss
    }

    /// The trained arrays besides the tables.
    pub(super) fn layers(&mut self) -> Vec<&mut Parameter<T>> {
        let mut layers = self.user.parameters();
        layers.extend(self.item.body.parameters());
        layers
    }
}

impl Student for Network<f32> {
    const NAME: &'static str = "multi-interest model";
    type Config = MultiInterestConfig;

    fn plan(config: &MultiInterestConfig) -> Plan {
        config.plan()
    }

    fn new(
        user: InputLayout,
        item: InputLayout,
        config: &MultiInterestConfig,
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

    /// Routes, [learns](Network::learn) from the drawn items, and takes one step.
    fn learn(&mut self, batch: &Batch<'_>, config: &MultiInterestConfig, adam: &mut Adam) -> f32 {
        let Batch { examples, users, sample, .. } = batch;
        let items = examples.items.select(&sample.items);
        let shares = self.user.route(&self.tables, users);
        let loss = self.learn(users, &items, &sample.columns, &shares);
        adam.advance();
        adam.step(&mut self.tables, config.embedding_regularisation);
        let update = adam.update(config.regularisation);
        self.layers().into_iter().for_each(|layer| layer.step(&update));
        loss
    }

    fn arrays(&mut self) -> Vec<Array<'_>> {
        let Self { tables, user, item, .. } = self;
        let mut layers = user.parameters();
        layers.extend(item.body.parameters());
        checkpoint::arrays(tables, layers)
    }
}

fn item_shape(config: &MultiInterestConfig) -> TowerShape<'_> {
    let MultiInterestConfig { item_hidden, dimension, .. } = config;
    TowerShape { hidden: item_hidden, dimension: *dimension, senet: false, objectives: &[] }
}
