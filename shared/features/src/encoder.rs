use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    BagColumn, Batch, Feature, FeatureError, Field, Fitter, IdColumn, Kind, Layout, Moments, Part,
    Record, Rows, Side, Specification, Table, Vocabulary,
    codec::{Codec, one_hot_width},
    state::{Index, State},
};

const FORMAT: u32 = 1;

/// A specification with all that was learnt for it: turns records into rows.
///
/// Equal encoders and records give equal bits, whichever way the row is put together.
#[derive(Debug, Clone)]
pub struct Encoder {
    specification: Specification,
    state: State,
    layout: Arc<Layout>,
    /// By [`Side`], in the order of its variants.
    plans: [Plan; 3],
}

/// The columns of one side, and where their cells go in a row.
#[derive(Debug, Clone, Default)]
struct Plan {
    columns: Vec<(Field, Codec)>,
    ids: Vec<usize>,
    /// Bag column and its length.
    bags: Vec<(usize, usize)>,
    /// Dense cells.
    dense: Vec<usize>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    specification: Specification,
    state: State,
}

impl Encoder {
    /// Fits on all records of a data set that is at hand; see [`Fitter`] for streams.
    pub fn fit<'r>(
        specification: &Specification,
        records: impl IntoIterator<Item = &'r dyn Record>,
    ) -> Result<Self, FeatureError> {
        let mut fitter = Fitter::new(specification)?;
        records.into_iter().try_for_each(|record| fitter.observe(record))?;
        fitter.finish()
    }

    pub(crate) fn new(specification: Specification, state: State) -> Result<Self, FeatureError> {
        specification.check()?;
        let mut builder = Builder::default();
        for feature in &specification.features {
            builder.add(feature, &state)?;
        }
        let Builder { layout, plans, .. } = builder;
        Ok(Self { specification, state, layout: Arc::new(layout), plans })
    }

    pub fn to_json(&self) -> String {
        let stored = Stored {
            format: FORMAT,
            specification: self.specification.clone(),
            state: self.state.clone(),
        };
        serde_json::to_string_pretty(&stored).expect("an encoder's state is plain data")
    }

    pub fn from_json(text: &str) -> Result<Self, FeatureError> {
        let refuse = |reason: String| FeatureError::Stored { reason };
        let stored: Stored =
            serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        if stored.format != FORMAT {
            return Err(refuse(format!("its format is {}, not {FORMAT}", stored.format)));
        }
        Self::new(stored.specification, stored.state)
    }

    pub fn specification(&self) -> &Specification {
        &self.specification
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The values of a table's rows from row 2 on.
    pub fn vocabulary(&self, table: &str) -> Option<&Vocabulary> {
        self.state.vocabularies.get(table)
    }

    pub(crate) fn vocabularies(&self) -> impl Iterator<Item = (&str, &Vocabulary)> {
        self.state.vocabularies.iter().map(|(table, vocabulary)| (table.as_str(), vocabulary))
    }

    /// An empty batch for this encoder's rows.
    pub fn batch(&self) -> Batch {
        Batch::new(Arc::clone(&self.layout))
    }

    /// Appends the record's row to a batch of this encoder.
    pub fn encode(&self, record: &dyn Record, batch: &mut Batch) {
        let part = |side| self.part(side, record);
        self.append(&part(Side::User), &part(Side::Item), &part(Side::Pair), batch);
    }

    /// Encodes the columns of one side.
    pub fn part(&self, side: Side, record: &dyn Record) -> Part {
        let mut part = Part::default();
        self.encode_side(side, record, &mut part);
        part
    }

    /// Starts the batch of a request of one user.
    pub fn rows(&self, user: &dyn Record) -> Rows<'_> {
        Rows::new(self, user)
    }

    pub(crate) fn encode_side(&self, side: Side, record: &dyn Record, part: &mut Part) {
        part.clear();
        for (field, codec) in &self.plan(side).columns {
            codec.encode(&record.resolved(field), part);
        }
    }

    pub(crate) fn append(&self, user: &Part, item: &Part, pair: &Part, batch: &mut Batch) {
        let (ids, dense) = batch.open_row();
        for (plan, part) in self.plans.iter().zip([user, item, pair]) {
            for (slot, value) in plan.ids.iter().zip(&part.ids) {
                batch.ids[ids + slot] = *value;
            }
            for (slot, value) in plan.dense.iter().zip(&part.dense) {
                batch.dense[dense + slot] = *value;
            }
            let mut cells = part.bags.as_slice();
            for (column, length) in &plan.bags {
                let (bag, rest) = cells.split_at(*length);
                let column = &mut batch.bags[*column];
                let start = column.len() - length;
                column[start..].copy_from_slice(bag);
                cells = rest;
            }
        }
    }

    fn plan(&self, side: Side) -> &Plan {
        &self.plans[place(side)]
    }
}

fn place(side: Side) -> usize {
    match side {
        Side::User => 0,
        Side::Item => 1,
        Side::Pair => 2,
    }
}

struct Builder {
    layout: Layout,
    plans: [Plan; 3],
    indexes: BTreeMap<String, Arc<Index>>,
}

impl Default for Builder {
    fn default() -> Self {
        let layout = Layout { tables: vec![], ids: vec![], bags: vec![], dense: 0 };
        Self { layout, plans: Default::default(), indexes: BTreeMap::new() }
    }
}

impl Builder {
    fn add(&mut self, feature: &Feature, state: &State) -> Result<(), FeatureError> {
        let codec = self.codec(feature, state)?;
        let field = Field::new(&*feature.field);
        let side = place(field.side());
        let name = || feature.name.clone();
        match &codec {
            Codec::Hash { .. } | Codec::Lookup(_) | Codec::Ranges(_) => {
                let table = self.table(feature, rows(&codec, feature, state));
                self.plans[side].ids.push(self.layout.ids.len());
                self.layout.ids.push(IdColumn { feature: name(), table });
            }
            Codec::Labels { length, .. } | Codec::Sequence { length, .. } => {
                let table = self.table(feature, rows(&codec, feature, state));
                self.plans[side].bags.push((self.layout.bags.len(), *length));
                self.layout.bags.push(BagColumn { feature: name(), table, length: *length });
            }
            Codec::OneHot(index) => self.add_dense(side, one_hot_width(index.len())),
            Codec::Log(_) | Codec::Bounded(..) | Codec::Standard(_) => self.add_dense(side, 1),
            Codec::Vector { dimension } => self.add_dense(side, *dimension),
        }
        self.plans[side].columns.push((field, codec));
        Ok(())
    }

    fn add_dense(&mut self, side: usize, width: usize) {
        let start = self.layout.dense;
        self.plans[side].dense.extend(start..start + width);
        self.layout.dense += width;
    }

    fn table(&mut self, feature: &Feature, rows: usize) -> usize {
        self.layout.table(&feature.table).unwrap_or_else(|| {
            let (name, dimension) = (feature.table.clone(), feature.dimension);
            self.layout.tables.push(Table { name, rows, dimension });
            self.layout.tables.len() - 1
        })
    }

    fn codec(&mut self, feature: &Feature, state: &State) -> Result<Codec, FeatureError> {
        let moments = || {
            let moments = state.moments.get(&feature.name).copied();
            let moments = moments.ok_or_else(|| feature.error("it was not fitted"))?;
            let Moments { mean, deviation } = moments;
            match mean.is_finite() && deviation.is_finite() && deviation > 0.0 {
                true => Ok(moments),
                false => Err(feature.error("its moments are not usable")),
            }
        };
        Ok(match &feature.kind {
            Kind::HashBucket { buckets } => Codec::Hash { buckets: *buckets },
            Kind::Vocabulary { .. } => Codec::Lookup(self.index(feature, state)?),
            Kind::OneHot { values } => Codec::OneHot(Index::of(values)),
            Kind::MultiHot { length, .. } => {
                Codec::Labels { index: self.index(feature, state)?, length: *length }
            }
            Kind::ItemSequence { length } => {
                Codec::Sequence { index: self.index(feature, state)?, length: *length }
            }
            Kind::QuantileBuckets { .. } => {
                let bounds = state.quantiles.get(&feature.name);
                let bounds = bounds.ok_or_else(|| feature.error("it was not fitted"))?;
                Codec::Ranges(bounds.0.clone())
            }
            Kind::Boundaries { bounds } => Codec::Ranges(bounds.clone()),
            Kind::LogNumber => Codec::Log(moments()?),
            Kind::BoundedLogNumber => Codec::Bounded(moments()?, range(feature, state)?),
            Kind::StandardNumber => Codec::Standard(moments()?),
            Kind::DenseVector { dimension } => Codec::Vector { dimension: *dimension },
        })
    }

    fn index(&mut self, feature: &Feature, state: &State) -> Result<Arc<Index>, FeatureError> {
        if let Some(index) = self.indexes.get(&feature.table) {
            return Ok(Arc::clone(index));
        }
        let vocabulary = state.vocabularies.get(&feature.table);
        let vocabulary = vocabulary.ok_or_else(|| feature.table_error("it was not fitted"))?;
        let index = Arc::new(Index::of(vocabulary));
        self.indexes.insert(feature.table.clone(), Arc::clone(&index));
        Ok(index)
    }
}

/// Of logarithms; without any in training, that of the mean.
fn range(feature: &Feature, state: &State) -> Result<[f64; 2], FeatureError> {
    let range = state.quantiles.get(&feature.name).map(|bounds| bounds.0.as_slice());
    match range.ok_or_else(|| feature.error("it was not fitted"))? {
        [] => Ok([0.0, 0.0]),
        [least, most] if least <= most => Ok([*least, *most]),
        _ => Err(feature.error("its range is not two numbers in order")),
    }
}

/// Rows of the column's table, the padding and the unknown row included.
fn rows(codec: &Codec, feature: &Feature, state: &State) -> usize {
    let values = match codec {
        Codec::Hash { buckets } => usize::try_from(*buckets).unwrap_or(usize::MAX - 2),
        Codec::Ranges(bounds) => bounds.len() + 1,
        _ => state.vocabularies.get(&feature.table).map_or(0, Vocabulary::len),
    };
    values + 2
}

#[cfg(test)]
mod tests;
