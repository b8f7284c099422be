//! The columns a network reads: how they are laid out, and the rows themselves.
//!
//! They mirror the encoder's batch, without depending on it: whatever produces id columns, bags
//! and numbers can train a network.

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::error::NetworkError;

/// One embedding table. Row 0 is padding: always the zero vector, never trained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableShape {
    pub name: String,
    pub rows: usize,
    pub dimension: usize,
}

/// One id column: `ids[row, column]` is a row of table number `table`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdShape {
    pub name: String,
    pub table: usize,
}

/// One bag column, mean pooled over its entries that are not padding. Its ONNX input is
/// `bag.<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BagShape {
    pub name: String,
    pub table: usize,
    pub length: usize,
}

/// The columns of a network's input. The embedded row is the id columns, then the bags, then the
/// dense numbers, each in the order given here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InputLayout {
    pub tables: Vec<TableShape>,
    pub ids: Vec<IdShape>,
    pub bags: Vec<BagShape>,
    pub dense: usize,
}

/// Rows of input. Every array has `rows` rows, also those without columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    pub rows: usize,
    /// `[rows, layout.ids.len()]`: rows inside each column's own table.
    pub ids: Array2<i64>,
    /// One `[rows, length]` array a bag; 0 is padding.
    pub bags: Vec<Array2<i64>>,
    /// `[rows, layout.dense]`.
    pub dense: Array2<f32>,
}

impl Inputs {
    /// The given rows, in the order given; a row may be asked for more than once.
    ///
    /// # Panics
    /// Where a row does not exist.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            rows: rows.len(),
            ids: self.ids.select(Axis(0), rows),
            bags: self.bags.iter().map(|bag| bag.select(Axis(0), rows)).collect(),
            dense: self.dense.select(Axis(0), rows),
        }
    }
}

impl InputLayout {
    /// Columns of the embedded row.
    #[must_use]
    pub fn width(&self) -> usize {
        let columns = self.ids.iter().map(|id| id.table).chain(self.bags.iter().map(|b| b.table));
        columns.map(|table| self.tables[table].dimension).sum::<usize>() + self.dense
    }

    /// Checks that the layout fits together: tables exist and are not empty, names are unique.
    pub fn check(&self) -> Result<(), NetworkError> {
        unique("table", self.tables.iter().map(|table| table.name.as_str()))?;
        unique("bag", self.bags.iter().map(|bag| bag.name.as_str()))?;
        self.check_tables()?;
        self.check_columns()?;
        if self.width() == 0 {
            return Err(NetworkError::Layout("it has no columns".into()));
        }
        Ok(())
    }

    /// Checks every row: shapes, ids inside their tables, finite numbers.
    pub fn check_inputs(&self, inputs: &Inputs) -> Result<(), NetworkError> {
        self.check_shapes(inputs)?;
        for (column, id) in self.ids.iter().enumerate() {
            let ids = inputs.ids.slice(ndarray::s![.., column..=column]);
            self.check_ids(&id.name, id.table, ids)?;
        }
        for (bag, ids) in self.bags.iter().zip(&inputs.bags) {
            self.check_ids(&bag.name, bag.table, ids.view())?;
        }
        check_finite(inputs.dense.view())
    }

    fn check_tables(&self) -> Result<(), NetworkError> {
        let small = self.tables.iter().find(|table| table.rows == 0 || table.dimension == 0);
        small.map_or(Ok(()), |table| {
            Err(NetworkError::Layout(format!("table {} is empty", table.name)))
        })
    }

    fn check_columns(&self) -> Result<(), NetworkError> {
        let ids = self.ids.iter().map(|id| (&id.name, id.table));
        let bags = self.bags.iter().map(|bag| (&bag.name, bag.table));
        for (name, table) in ids.chain(bags) {
            if table >= self.tables.len() {
                let reason =
                    format!("column {name} names table number {table}, which is not there");
                return Err(NetworkError::Layout(reason));
            }
        }
        match self.bags.iter().find(|bag| bag.length == 0) {
            Some(bag) => Err(NetworkError::Layout(format!("bag {} has length 0", bag.name))),
            None => Ok(()),
        }
    }

    fn check_shapes(&self, inputs: &Inputs) -> Result<(), NetworkError> {
        expect_shape("ids", inputs.ids.dim(), (inputs.rows, self.ids.len()))?;
        expect_shape("dense", inputs.dense.dim(), (inputs.rows, self.dense))?;
        if inputs.bags.len() != self.bags.len() {
            return Err(NetworkError::Shape {
                name: "bags".into(),
                found: vec![inputs.bags.len()],
                expected: vec![self.bags.len()],
            });
        }
        for (bag, ids) in self.bags.iter().zip(&inputs.bags) {
            expect_shape(&format!("bag.{}", bag.name), ids.dim(), (inputs.rows, bag.length))?;
        }
        Ok(())
    }

    fn check_ids(
        &self,
        column: &str,
        table: usize,
        ids: ArrayView2<'_, i64>,
    ) -> Result<(), NetworkError> {
        let shape = &self.tables[table];
        let inside = |id: i64| usize::try_from(id).is_ok_and(|id| id < shape.rows);
        match ids.indexed_iter().find(|(_, id)| !inside(**id)) {
            None => Ok(()),
            Some(((row, _), &id)) => Err(NetworkError::IdOutOfRange {
                column: column.to_owned(),
                row,
                id,
                table: shape.name.clone(),
                rows: shape.rows,
            }),
        }
    }
}

fn unique<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> Result<(), NetworkError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(NetworkError::Layout(format!("{kind} {name} is there twice")));
        }
    }
    Ok(())
}

pub(crate) fn expect_shape(
    name: &str,
    found: (usize, usize),
    expected: (usize, usize),
) -> Result<(), NetworkError> {
    if found == expected {
        return Ok(());
    }
    Err(NetworkError::Shape {
        name: name.to_owned(),
        found: vec![found.0, found.1],
        expected: vec![expected.0, expected.1],
    })
}

pub(crate) fn expect_length(name: &str, found: usize, expected: usize) -> Result<(), NetworkError> {
    if found == expected {
        return Ok(());
    }
    let (found, expected) = (vec![found], vec![expected]);
    Err(NetworkError::Shape { name: name.to_owned(), found, expected })
}

fn check_finite(dense: ArrayView2<'_, f32>) -> Result<(), NetworkError> {
    match dense.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((row, column), &value)) => {
            Err(NetworkError::Value { column: format!("dense[{column}]"), row, value })
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn layout() -> InputLayout {
        InputLayout {
            tables: vec![
                TableShape { name: "item".into(), rows: 4, dimension: 3 },
                TableShape { name: "genre".into(), rows: 3, dimension: 2 },
            ],
            ids: vec![IdShape { name: "item".into(), table: 0 }],
            bags: vec![BagShape { name: "genres".into(), table: 1, length: 2 }],
            dense: 1,
        }
    }

    fn inputs() -> Inputs {
        Inputs {
            rows: 2,
            ids: array![[1], [3]],
            bags: vec![array![[0, 2], [1, 1]]],
            dense: array![[0.5], [-1.0]],
        }
    }

    fn check(change: impl FnOnce(&mut Inputs), expected: &str) {
        let mut inputs = inputs();
        change(&mut inputs);
        let error = layout().check_inputs(&inputs).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn good_rows_pass() {
        layout().check().unwrap();
        layout().check_inputs(&inputs()).unwrap();
        assert_eq!(layout().width(), 6);
    }

    #[test]
    fn bad_rows_name_their_column() {
        check(
            |inputs| inputs.ids[[1, 0]] = 4,
            "column item, row 1: id 4 is outside table item of 4 rows",
        );
        check(
            |inputs| inputs.bags[0][[0, 1]] = -1,
            "column genres, row 0: id -1 is outside table genre of 3 rows",
        );
        check(
            |inputs| inputs.dense[[1, 0]] = f32::NAN,
            "column dense[0], row 1: value NaN is not allowed",
        );
        check(
            |inputs| inputs.dense[[0, 0]] = f32::INFINITY,
            "column dense[0], row 0: value inf is not allowed",
        );
        check(
            |inputs| inputs.bags[0] = array![[1, 1]],
            "bag.genres has shape [1, 2], expected [2, 2]",
        );
        check(|inputs| inputs.bags.clear(), "bags has shape [0], expected [1]");
    }

    #[test]
    fn a_layout_that_does_not_fit_is_refused() {
        type Change = fn(&mut InputLayout);
        let rows: [(Change, &str); 5] = [
            (|l| l.ids[0].table = 2, "column item names table number 2, which is not there"),
            (|l| l.tables[1].rows = 0, "table genre is empty"),
            (|l| l.tables[1].name = "item".into(), "table item is there twice"),
            (|l| l.bags[0].length = 0, "bag genres has length 0"),
            (|l| *l = InputLayout::default(), "it has no columns"),
        ];
        for (change, expected) in rows {
            let mut layout = layout();
            change(&mut layout);
            let error = layout.check().unwrap_err();
            assert_eq!(error.to_string(), format!("input layout: {expected}"));
        }
    }

    #[test]
    fn selected_rows_keep_their_order() {
        let selected = inputs().select(&[1, 0, 1]);
        assert_eq!(selected.rows, 3);
        assert_eq!(selected.ids, array![[3], [1], [3]]);
        assert_eq!(selected.bags[0], array![[1, 1], [0, 2], [1, 1]]);
        assert_eq!(selected.dense, array![[-1.0], [0.5], [-1.0]]);
    }
}
