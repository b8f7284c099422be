//! Encoded rows as the networks take them.

mod packed;
mod watched;

use ndarray::Array2;
use tributary_bundle::Tensors;
use tributary_features::{Batch, Encoder, Layout};
use tributary_network::{BagShape, IdShape, InputLayout, Inputs, TableShape};

pub(crate) use self::{
    packed::{EndToEnd, Packed},
    watched::Watched,
};

/// The network's view of an encoder's layout.
pub(crate) fn input_layout(layout: &Layout) -> InputLayout {
    InputLayout {
        tables: layout
            .tables
            .iter()
            .map(|table| TableShape {
                name: table.name.clone(),
                rows: table.rows,
                dimension: table.dimension,
            })
            .collect(),
        ids: layout
            .ids
            .iter()
            .map(|column| IdShape { name: column.feature.clone(), table: column.table })
            .collect(),
        bags: layout
            .bags
            .iter()
            .map(|column| BagShape {
                name: column.feature.clone(),
                table: column.table,
                length: column.length,
            })
            .collect(),
        dense: layout.dense,
    }
}

/// The rows of batches of one encoder, end to end.
pub(crate) fn inputs(encoder: &Encoder, batches: &[Batch]) -> Inputs {
    let layout = encoder.layout();
    let rows = batches.iter().map(|batch| batch.rows).sum();
    let bags = layout.bags.iter().enumerate().map(|(index, column)| {
        array(rows, column.length, batches.iter().map(|batch| batch.bags[index].as_slice()))
    });
    Inputs {
        rows,
        ids: array(rows, layout.ids.len(), batches.iter().map(|batch| batch.ids.as_slice())),
        bags: bags.collect(),
        dense: array(rows, layout.dense, batches.iter().map(|batch| batch.dense.as_slice())),
    }
}

fn array<'a, T: Copy + 'a>(
    rows: usize,
    width: usize,
    parts: impl Iterator<Item = &'a [T]>,
) -> Array2<T> {
    let mut cells = Vec::with_capacity(rows * width);
    parts.for_each(|part| cells.extend_from_slice(part));
    Array2::from_shape_vec((rows, width), cells).expect("every row has one cell a column")
}

/// Rows as the inputs of the exported model; inputs without columns are left out.
pub(crate) fn tensors(encoder: &Encoder, inputs: &Inputs) -> Tensors {
    let mut tensors = Tensors::new();
    let layout = encoder.layout();
    if !layout.ids.is_empty() {
        tensors.insert("ids".into(), inputs.ids.clone().into_dyn().into());
    }
    for (column, rows) in layout.bags.iter().zip(&inputs.bags) {
        tensors.insert(format!("bag.{}", column.feature), rows.clone().into_dyn().into());
    }
    if layout.dense > 0 {
        tensors.insert("dense".into(), inputs.dense.clone().into_dyn().into());
    }
    tensors
}
