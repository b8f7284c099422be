//! From the columns of the input to one row of numbers, and its gradient back into the tables.

mod export;

use ndarray::{Array2, ArrayView2, ArrayViewMut1, s};
use rayon::prelude::*;

pub(crate) use self::export::PairNodes;
use crate::{
    error::NetworkError,
    inputs::{InputLayout, Inputs},
    real::Real,
    table::Table,
};

/// Rows that one task embeds.
const ROWS: usize = 64;

/// Reads a layout's columns from tables that may be shared with another network: id columns as
/// they are, bags mean pooled, dense numbers as they are, side by side.
#[derive(Debug)]
pub(crate) struct Embedding {
    pub(crate) layout: InputLayout,
    /// The id columns.
    columns: Vec<Column>,
    bags: Vec<Bag>,
    pub(crate) width: usize,
}

#[derive(Debug, Clone, Copy)]
struct Bag {
    column: Column,
    /// Whether the embedded row has the bag's mean.
    pooled: bool,
}

#[derive(Debug, Clone, Copy)]
struct Column {
    /// Position among the network's tables.
    table: usize,
    /// First cell of the column in the embedded row.
    offset: usize,
    dimension: usize,
}

impl Embedding {
    /// `tables[i]` is where the layout's table `i` stands among the network's tables.
    pub(crate) fn new(layout: InputLayout, tables: &[usize]) -> Self {
        Self::pooling(layout, tables, |_| true)
    }

    /// The same, with only the bags of these numbers in the embedded row.
    pub(crate) fn pooling(
        layout: InputLayout,
        tables: &[usize],
        is_pooled: impl Fn(usize) -> bool,
    ) -> Self {
        let mut offset = 0;
        let mut column = |table: usize, taken: bool| {
            let dimension = layout.tables[table].dimension;
            let column = Column { table: tables[table], offset, dimension };
            offset += if taken { dimension } else { 0 };
            column
        };
        let columns = layout.ids.iter().map(|id| column(id.table, true)).collect();
        let bags = layout.bags.iter().enumerate().map(|(number, bag)| {
            let pooled = is_pooled(number);
            Bag { column: column(bag.table, pooled), pooled }
        });
        let bags = bags.collect();
        Self { width: offset + layout.dense, columns, bags, layout }
    }

    pub(crate) fn check(&self, inputs: &Inputs) -> Result<(), NetworkError> {
        self.layout.check_inputs(inputs)
    }

    /// `[rows, width]`. The inputs have been checked.
    pub(crate) fn forward<T: Real>(&self, tables: &[Table<T>], inputs: &Inputs) -> Array2<T> {
        let mut output = Array2::zeros((inputs.rows, self.width));
        let cells = output.as_slice_mut().expect("a fresh array is contiguous");
        cells.par_chunks_mut(ROWS * self.width).enumerate().for_each(|(chunk, cells)| {
            for (row, cells) in cells.chunks_exact_mut(self.width).enumerate() {
                self.embed(tables, inputs, chunk * ROWS + row, cells);
            }
        });
        output
    }

    /// Adds the gradient of the embedded rows to the tables' gradients.
    pub(crate) fn backward<T: Real>(
        &self,
        tables: &mut [Table<T>],
        inputs: &Inputs,
        gradient: ArrayView2<'_, T>,
    ) {
        // Each table is one task's, so that its sums are taken in the order of the rows.
        tables.par_iter_mut().enumerate().for_each(|(number, table)| {
            let columns = self.columns.iter().enumerate();
            for (index, column) in columns.filter(|(_, column)| column.table == number) {
                let ids = inputs.ids.slice(s![.., index..=index]);
                scatter(table, ids, column.slice(gradient));
            }
            let pooled = self.pooled(inputs).filter(|(column, _)| column.table == number);
            for (column, bag) in pooled {
                scatter(table, bag.view(), column.slice(gradient));
            }
        });
    }

    fn embed<T: Real>(&self, tables: &[Table<T>], inputs: &Inputs, row: usize, cells: &mut [T]) {
        for (column, &id) in self.columns.iter().zip(inputs.ids.row(row)) {
            cells[column.cells()].copy_from_slice(tables[column.table].row(to_row(id)));
        }
        for (column, bag) in self.pooled(inputs) {
            let bag = bag.row(row);
            pool(&tables[column.table], bag.iter().copied(), &mut cells[column.cells()]);
        }
        let dense = ArrayViewMut1::from(&mut cells[self.width - self.layout.dense..]);
        for (cell, &value) in dense.into_iter().zip(inputs.dense.row(row)) {
            *cell = T::from_f64(f64::from(value));
        }
    }

    fn pooled<'a>(&'a self, inputs: &'a Inputs) -> impl Iterator<Item = (Column, &'a Array2<i64>)> {
        let bags = self.bags.iter().zip(&inputs.bags).filter(|(bag, _)| bag.pooled);
        bags.map(|(bag, ids)| (bag.column, ids))
    }
}

impl Column {
    fn cells(self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.dimension
    }

    fn slice<T>(self, gradient: ArrayView2<'_, T>) -> ArrayView2<'_, T> {
        gradient.slice_move(s![.., self.cells()])
    }
}

/// The mean of the rows that are not padding; zero without any.
fn pool<T: Real>(table: &Table<T>, ids: impl Iterator<Item = i64>, cells: &mut [T]) {
    let mut count = 0;
    for id in ids.filter(|&id| id != 0) {
        count += 1;
        for (cell, &value) in cells.iter_mut().zip(table.row(to_row(id))) {
            *cell += value;
        }
    }
    let count = T::from_count(count.max(1));
    cells.iter_mut().for_each(|cell| *cell /= count);
}

/// Adds each row's gradient, shared among the row's ids that are not padding.
fn scatter<T: Real>(table: &mut Table<T>, ids: ArrayView2<'_, i64>, gradient: ArrayView2<'_, T>) {
    table.scatter(|shard| {
        for (ids, gradient) in ids.rows().into_iter().zip(gradient.rows()) {
            let count = ids.iter().filter(|&&id| id != 0).count();
            let share = T::one() / T::from_count(count.max(1));
            let gradient =
                gradient.to_slice().expect("columns of a row-major array are contiguous");
            for &id in ids.iter().filter(|&&id| id != 0) {
                shard.accumulate(to_row(id), share, gradient);
            }
        }
    });
}

pub(crate) fn to_row(id: i64) -> usize {
    usize::try_from(id).expect("ids were checked against their tables")
}

#[cfg(test)]
pub(crate) mod tests {
    use ndarray::array;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{
        inputs::{BagShape, IdShape, TableShape},
        layer::tests::{assert_close, random},
    };

    pub(crate) fn layout() -> InputLayout {
        InputLayout {
            tables: vec![
                TableShape { name: "item".into(), rows: 6, dimension: 3 },
                TableShape { name: "genre".into(), rows: 4, dimension: 2 },
            ],
            ids: vec![
                IdShape { name: "genre".into(), table: 1 },
                IdShape { name: "item".into(), table: 0 },
            ],
            bags: vec![
                BagShape { name: "history".into(), table: 0, length: 3 },
                BagShape { name: "genres".into(), table: 1, length: 2 },
            ],
            dense: 2,
        }
    }

    /// Row 2 is all padding; item 3 is in an id column and twice in a bag.
    pub(crate) fn inputs() -> Inputs {
        Inputs {
            rows: 4,
            ids: array![[1, 3], [2, 0], [0, 0], [3, 5]],
            bags: vec![
                array![[3, 3, 1], [0, 2, 0], [0, 0, 0], [5, 0, 4]],
                array![[1, 2], [0, 0], [0, 0], [3, 3]],
            ],
            dense: array![[0.5, -1.0], [0.0, 2.0], [0.25, 0.0], [1.0, 1.0]],
        }
    }

    pub(crate) fn tables(layout: &InputLayout) -> Vec<Table<f64>> {
        let random = &mut ChaCha8Rng::seed_from_u64(2);
        layout.tables.iter().map(|shape| Table::new(shape, random)).collect()
    }

    #[test]
    fn places_columns_side_by_side() {
        let (layout, inputs) = (layout(), inputs());
        let tables = tables(&layout);
        let output = Embedding::new(layout, &[0, 1]).forward(&tables, &inputs);
        assert_eq!(output.ncols(), 2 + 3 + 3 + 2 + 2);
        let row = output.row(3);
        let (item, genre) = (&tables[0], &tables[1]);
        assert_eq!(row.slice(s![..2]).to_vec(), genre.row(3));
        assert_eq!(row.slice(s![2..5]).to_vec(), item.row(5));
        for cell in 0..3 {
            let mean = (item.row(5)[cell] + item.row(4)[cell]) / 2.0;
            assert!((row[5 + cell] - mean).abs() < 1e-12, "padding counts in the mean");
        }
        assert_eq!(row.slice(s![10..]).to_vec(), [1.0, 1.0]);
        assert_eq!(output.row(2).slice(s![..10]).to_vec(), [0.0; 10], "padding is zero");
    }

    #[test]
    fn gradients_of_the_tables() {
        check_gradients(Embedding::new(layout(), &[0, 1]));
        check_gradients(Embedding::pooling(layout(), &[0, 1], |bag| bag == 1));
    }

    fn check_gradients(embedding: Embedding) {
        let inputs = inputs();
        let mut tables = tables(&embedding.layout);
        let slopes = random(inputs.rows, embedding.width, 4);
        embedding.backward(&mut tables, &inputs, slopes.view());
        for number in 0..tables.len() {
            for cell in 0..tables[number].values.len() {
                check_cell(&embedding, &mut tables, (number, cell), &inputs, &slopes);
            }
        }
    }

    fn check_cell(
        embedding: &Embedding,
        tables: &mut [Table<f64>],
        (number, cell): (usize, usize),
        inputs: &Inputs,
        slopes: &Array2<f64>,
    ) {
        let (row, column) = (cell / tables[number].dimension, cell % tables[number].dimension);
        let analytic = tables[number].gradient(row).map_or(0.0, |gradient| gradient[column]);
        if row == 0 {
            assert_eq!(analytic, 0.0, "padding takes no gradient");
            return;
        }
        let mut at = |step: f64| {
            tables[number].values[cell] += step;
            (&embedding.forward(tables, inputs) * slopes).sum()
        };
        let numeric = (at(1e-6) - at(-2e-6)) / 2e-6;
        at(1e-6);
        assert_close(analytic, numeric, &format!("table {number} row {row}"));
    }
}
