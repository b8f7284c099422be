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

/// A bag's entries, each as its vector.
#[derive(Debug, Clone)]
pub(crate) struct BagNodes {
    /// `[batch, length]`.
    pub(crate) ids: String,
    /// `[batch, length, dimension]`; zero for padding.
    pub(crate) vectors: String,
}

/// A bag beside an id column of its table.
#[derive(Debug)]
pub(crate) struct PairNodes {
    pub(crate) bag: BagNodes,
    /// The column's vectors `[batch, 1, dimension]`.
    pub(crate) target: String,
}

impl Embedding {
    /// Adds the inputs and the embedding's nodes; names the embedded row.
    pub(crate) fn export<T: Real>(&self, graph: &mut Graph, tables: &[Table<T>]) -> String {
        self.export_with(graph, tables, &[]).0
    }

    /// The same, and the entries of a bag. The row is `None` where it would have no columns.
    pub(crate) fn export_with_bag<T: Real>(
        &self,
        graph: &mut Graph,
        tables: &[Table<T>],
        bag: usize,
    ) -> (Option<String>, BagNodes) {
        let stored = Stored::new(graph, tables, self);
        let Nodes { parts, mut bags, .. } = self.export_columns(graph, &stored);
        ((!parts.is_empty()).then(|| graph.concat(&parts)), bags.swap_remove(bag))
    }

    /// The same, and the vectors of pairs of a bag and an id column, both by number.
    pub(crate) fn export_with<T: Real>(
        &self,
        graph: &mut Graph,
        tables: &[Table<T>],
        pairs: &[(usize, usize)],
    ) -> (String, Vec<PairNodes>) {
        let stored = Stored::new(graph, tables, self);
        let Nodes { parts, bags, ids } = self.export_columns(graph, &stored);
        let pairs = pairs.iter().map(|&(bag, column)| PairNodes {
            bag: bags[bag].clone(),
            target: stored.export_target(graph, self.columns[column], column, &ids),
        });
        let pairs = pairs.collect();
        (graph.concat(&parts), pairs)
    }

    fn export_columns(&self, graph: &mut Graph, stored: &Stored) -> Nodes {
        let mut parts = Vec::new();
        let mut ids = String::new();
        if !self.columns.is_empty() {
            ids = graph.ids_input("ids", self.columns.len());
            parts.extend(stored.export_ids(graph, &self.columns, &ids));
        }
        let mut bags = Vec::with_capacity(self.bags.len());
        for (shape, bag) in self.layout.bags.iter().zip(&self.bags) {
            let input = graph.ids_input(&format!("bag.{}", shape.name), shape.length);
            let nodes = stored.export_bag(graph, bag.column, &input);
            if bag.pooled {
                parts.push(nodes.export_mean(graph));
            }
            bags.push(nodes);
        }
        if self.layout.dense > 0 {
            parts.push(graph.dense_input("dense", self.layout.dense));
        }
        Nodes { parts, bags, ids }
    }
}

/// The columns of a graph.
struct Nodes {
    /// What stands side by side in the embedded row.
    parts: Vec<String>,
    bags: Vec<BagNodes>,
    /// The input of ids; empty where there are none.
    ids: String,
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
    fn new<T: Real>(graph: &mut Graph, tables: &[Table<T>], embedding: &Embedding) -> Self {
        let bags = embedding.bags.iter().map(|bag| bag.column);
        let columns: Vec<Column> = embedding.columns.iter().copied().chain(bags).collect();
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

    fn export_ids(&self, graph: &mut Graph, columns: &[Column], input: &str) -> Vec<String> {
        if self.fused {
            return vec![self.export_fused_ids(graph, columns, input)];
        }
        let mut parts = Vec::with_capacity(columns.len());
        for (number, &column) in columns.iter().enumerate() {
            let number = graph.integers(&[], &[to_i64(number)]);
            let ids = graph.gather(input, &number, 1);
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

    fn export_bag(&self, graph: &mut Graph, column: Column, input: &str) -> BagNodes {
        let place = self.place(column);
        let rows = shifted(graph, input, &[place.first]);
        BagNodes { vectors: graph.gather(&place.constant, &rows, 0), ids: input.to_owned() }
    }

    /// One id column's vectors, `[batch, 1, dimension]`.
    fn export_target(
        &self,
        graph: &mut Graph,
        column: Column,
        number: usize,
        input: &str,
    ) -> String {
        let place = self.place(column);
        let number = graph.integers(&[1], &[to_i64(number)]);
        let ids = graph.gather(input, &number, 1);
        let rows = shifted(graph, &ids, &[place.first]);
        graph.gather(&place.constant, &rows, 0)
    }
}

impl BagNodes {
    /// True for an entry and false for padding, `[batch, length]`.
    pub(crate) fn export_present(&self, graph: &mut Graph) -> String {
        let zero = graph.integers(&[], &[0]);
        let padding = graph.node("Equal", &[&self.ids, &zero]);
        graph.node("Not", &[&padding])
    }

    /// The mean over entries that are not padding; padding rows are zero and add nothing.
    fn export_mean(&self, graph: &mut Graph) -> String {
        let sum = graph.sum(&self.vectors, false);
        let present = self.export_present(graph);
        let present = graph.cast_to_float(&present);
        let (count, one) = (graph.sum(&present, true), graph.scalar(1.0));
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
