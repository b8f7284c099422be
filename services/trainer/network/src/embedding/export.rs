//! The ONNX nodes of the embedding.
//!
//! Where all tables have one dimension they become one table, and each column adds the offset of
//! its own: a single gather reads all id columns, which ONNX Runtime does about a fifth faster.

use super::{Column, Embedding};
use crate::{
    graph::{Graph, to_i64},
    real::Real,
    table::Table,
};

impl Embedding {
    /// Adds the inputs and the embedding's nodes; names the embedded row.
    pub(crate) fn export<T: Real>(&self, graph: &mut Graph, tables: &[Table<T>]) -> String {
        let stored = Stored::new(graph, tables, &self.columns);
        let (ids, bags) = self.columns.split_at(self.layout.ids.len());
        let mut parts = Vec::new();
        if !ids.is_empty() {
            parts.extend(stored.export_ids(graph, ids));
        }
        for (column, bag) in bags.iter().zip(&self.layout.bags) {
            let input = graph.ids_input(&format!("bag.{}", bag.name), bag.length);
            parts.push(stored.export_bag(graph, *column, &input));
        }
        if self.layout.dense > 0 {
            parts.push(graph.dense_input("dense", self.layout.dense));
        }
        graph.concat(&parts)
    }
}

/// Where a table's rows are in the graph.
#[derive(Debug, Clone)]
struct Place {
    constant: String,
    /// Row 0 of the table.
    first: i64,
}

/// The tables of one graph.
struct Stored {
    /// By number of the table; `None` where the graph does not read it.
    places: Vec<Option<Place>>,
    fused: bool,
}

impl Stored {
    fn new<T: Real>(graph: &mut Graph, tables: &[Table<T>], columns: &[Column]) -> Self {
        let read = |number: usize| columns.iter().any(|column| column.table == number);
        let used: Vec<(usize, &Table<T>)> =
            tables.iter().enumerate().filter(|(number, _)| read(*number)).collect();
        let fused = used.windows(2).all(|pair| pair[0].1.dimension == pair[1].1.dimension);
        let mut places = vec![None; tables.len()];
        if fused && !used.is_empty() {
            place_together(graph, &used, &mut places);
        } else {
            for (number, table) in used {
                let constant = constant(graph, &[table]);
                places[number] = Some(Place { constant, first: 0 });
            }
        }
        Self { places, fused }
    }

    fn place(&self, column: Column) -> &Place {
        self.places[column.table].as_ref().expect("every column's table was placed")
    }

    fn export_ids(&self, graph: &mut Graph, columns: &[Column]) -> Vec<String> {
        let input = graph.ids_input("ids", columns.len());
        if self.fused {
            return vec![self.export_fused_ids(graph, columns, &input)];
        }
        let mut parts = Vec::with_capacity(columns.len());
        for (number, &column) in columns.iter().enumerate() {
            let number = graph.integers(&[], &[to_i64(number)]);
            let ids = graph.gather(&input, &number, 1);
            parts.push(graph.gather(&self.place(column).constant, &ids, 0));
        }
        parts
    }

    /// `[batch, columns]` ids to `[batch, columns · dimension]` with one gather.
    fn export_fused_ids(&self, graph: &mut Graph, columns: &[Column], input: &str) -> String {
        let first: Vec<i64> = columns.iter().map(|&column| self.place(column).first).collect();
        let rows = shifted(graph, input, &first);
        let gathered = graph.gather(&self.place(columns[0]).constant, &rows, 0);
        let width: usize = columns.iter().map(|column| column.dimension).sum();
        // 0 keeps the batch axis as it is, also where it is empty.
        let shape = graph.integers(&[2], &[0, to_i64(width)]);
        graph.node("Reshape", &[&gathered, &shape])
    }

    /// The mean over entries that are not padding; padding rows are zero and add nothing.
    fn export_bag(&self, graph: &mut Graph, column: Column, input: &str) -> String {
        let place = self.place(column);
        let rows = shifted(graph, input, &[place.first]);
        let gathered = graph.gather(&place.constant, &rows, 0);
        let sum = graph.sum(&gathered, false);
        let (zero, one) = (graph.integers(&[], &[0]), graph.scalar(1.0));
        let padding = graph.node("Equal", &[input, &zero]);
        let present = graph.node("Not", &[&padding]);
        let present = graph.cast_to_float(&present);
        let count = graph.sum(&present, true);
        let count = graph.node("Max", &[&count, &one]);
        graph.node("Div", &[&sum, &count])
    }
}

fn place_together<T: Real>(
    graph: &mut Graph,
    tables: &[(usize, &Table<T>)],
    places: &mut [Option<Place>],
) {
    let whole: Vec<&Table<T>> = tables.iter().map(|(_, table)| *table).collect();
    let constant = constant(graph, &whole);
    let mut first = 0;
    for (number, table) in tables {
        places[*number] = Some(Place { constant: constant.clone(), first });
        first += to_i64(table.rows());
    }
}

/// Tables of one dimension, one after another.
fn constant<T: Real>(graph: &mut Graph, tables: &[&Table<T>]) -> String {
    let rows = tables.iter().map(|table| table.rows()).sum();
    let values = tables.iter().flat_map(|table| &table.values);
    graph.floats(&[rows, tables[0].dimension], values.map(|value| value.to_single()))
}

fn shifted(graph: &mut Graph, ids: &str, first: &[i64]) -> String {
    if first.iter().all(|&first| first == 0) {
        return ids.to_owned();
    }
    let first = graph.integers(&[first.len()], first);
    graph.node("Add", &[ids, &first])
}
