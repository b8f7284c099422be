use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use ndarray::{Array2, ArrayD};

use crate::{Encoder, Layout, Record, Side};

/// Encoded rows, in the form that networks take.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    layout: Arc<Layout>,
    pub rows: usize,
    /// Row numbers inside each column's table: `rows` × number of id columns.
    pub ids: Vec<i64>,
    /// For each bag column, `rows` × its length.
    pub bags: Vec<Vec<i64>>,
    /// `rows` × width of the dense input, all finite.
    pub dense: Vec<f32>,
}

impl Batch {
    /// An empty batch for rows of that layout.
    pub fn new(layout: Arc<Layout>) -> Self {
        let bags = vec![Vec::new(); layout.bags.len()];
        Self { layout, rows: 0, ids: Vec::new(), bags, dense: Vec::new() }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.ids.clear();
        self.bags.iter_mut().for_each(Vec::clear);
        self.dense.clear();
    }

    /// The network's inputs by name: "ids" \[rows, n\], "bag.<feature>" \[rows, length\], "dense"
    /// \[rows, m\]. Inputs without columns are left out.
    pub fn into_tensors<T>(self) -> BTreeMap<String, T>
    where
        T: From<ArrayD<i64>> + From<ArrayD<f32>>,
    {
        let (rows, layout) = (self.rows, self.layout);
        let mut tensors = BTreeMap::new();
        if !layout.ids.is_empty() {
            tensors.insert("ids".to_owned(), array(rows, layout.ids.len(), self.ids).into());
        }
        for (column, cells) in layout.bags.iter().zip(self.bags) {
            let name = format!("bag.{}", column.feature);
            tensors.insert(name, array(rows, column.length, cells).into());
        }
        if layout.dense > 0 {
            tensors.insert("dense".to_owned(), array(rows, layout.dense, self.dense).into());
        }
        tensors
    }

    /// Adds a row of zeros and gives the places where its cells begin.
    pub(crate) fn open_row(&mut self) -> (usize, usize) {
        let (ids, dense) = (self.ids.len(), self.dense.len());
        self.rows += 1;
        self.ids.resize(ids + self.layout.ids.len(), 0);
        self.dense.resize(dense + self.layout.dense, 0.0);
        for (column, cells) in self.layout.bags.iter().zip(&mut self.bags) {
            cells.resize(cells.len() + column.length, 0);
        }
        (ids, dense)
    }
}

fn array<T>(rows: usize, width: usize, cells: Vec<T>) -> ArrayD<T> {
    let array = Array2::from_shape_vec((rows, width), cells);
    array.expect("every row adds one cell to each column").into_dyn()
}

/// The encoded columns of one side of a row, to be kept and used again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    pub(crate) ids: Vec<i64>,
    /// All bags of the side, one after another.
    pub(crate) bags: Vec<i64>,
    pub(crate) dense: Vec<f32>,
}

impl Part {
    /// A number that equal parts share, inside this process; others hardly ever do.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.ids.hash(&mut hasher);
        self.bags.hash(&mut hasher);
        self.dense.iter().for_each(|value| value.to_bits().hash(&mut hasher));
        hasher.finish()
    }

    pub(crate) fn clear(&mut self) {
        self.ids.clear();
        self.bags.clear();
        self.dense.clear();
    }
}

/// Builds the batch of one request: the user's side is encoded once, the items' sides come from
/// wherever they are kept, and only what is between the two is encoded for each candidate.
pub struct Rows<'e> {
    encoder: &'e Encoder,
    user: Part,
    pair: Part,
    batch: Batch,
}

impl<'e> Rows<'e> {
    pub(crate) fn new(encoder: &'e Encoder, user: &dyn Record) -> Self {
        let user = encoder.part(Side::User, user);
        Self { encoder, user, pair: Part::default(), batch: encoder.batch() }
    }

    /// Adds a candidate: its encoded item side, and the record of user and candidate.
    pub fn push(&mut self, item: &Part, record: &dyn Record) {
        self.encoder.encode_side(Side::Pair, record, &mut self.pair);
        self.encoder.append(&self.user, item, &self.pair, &mut self.batch);
    }

    pub fn finish(self) -> Batch {
        self.batch
    }
}
