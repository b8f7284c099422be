//! The ONNX nodes of the user's side: routing for a batch at once, whatever its histories.

use super::{
    interests::Interests,
    routing::{SHORTEST, threshold},
};
use crate::{
    error::NetworkError,
    graph::{Graph, to_i64},
    layer::{Layer, Squash},
    real::Real,
    table::Table,
};

/// Added to the logits of interests that are not in use: the softmax makes it exactly zero.
const NEVER: f32 = -1e9;

impl<T: Real> Interests<T> {
    /// Inputs as in the crate's documentation, output `interests` `[rows, interests, dimension]`.
    pub(super) fn export(&self, tables: &[Table<T>], name: &str) -> Result<Vec<u8>, NetworkError> {
        let mut graph = Graph::default();
        let (others, history) = self.others.export_with_bag(&mut graph, tables, self.sequence);
        let present = history.export_present(&mut graph);
        let used = self.export_used(&mut graph, &present);
        let capsules = self.export_capsules(&mut graph, &history.vectors, &used);
        let (maximum, dimension) = (self.start.nrows(), self.map.weights().ncols());
        let width = self.others.width;
        let rows = match others {
            Some(others) => graph.beside(&capsules, &others, maximum, width),
            None => capsules,
        };
        let rows = graph.reshape(&rows, &[-1, to_i64(dimension + width)]);
        let vectors = self.body.export(&mut graph, &rows);
        let vectors = graph.reshape(&vectors, &[-1, to_i64(maximum), to_i64(dimension)]);
        let used = graph.reshape(&used, &[-1, to_i64(maximum), 1]);
        let vectors = graph.node("Mul", &[&vectors, &used]);
        graph.output_of("interests", &vectors, &[maximum, dimension]);
        graph.finish(name)
    }

    /// One for an interest in use, `[batch, interests]`.
    fn export_used(&self, graph: &mut Graph, present: &str) -> String {
        let present = graph.cast_to_float(present);
        let count = graph.sum(&present, true);
        let maximum = self.start.nrows();
        let thresholds = graph.floats(&[1, maximum], (0..maximum).map(threshold));
        let used = graph.node("GreaterOrEqual", &[&count, &thresholds]);
        graph.cast_to_float(&used)
    }

    /// `[batch, interests, dimension]` from behaviours `[batch, length, dimension of the table]`.
    /// Padding has zero vectors and adds nothing, whatever its weight.
    fn export_capsules(&self, graph: &mut Graph, behaviours: &str, used: &str) -> String {
        let map = graph.matrix(self.map.weights());
        let back = graph.matrix(&self.map.weights().t().to_owned());
        let mut logits = self.export_first_logits(graph, behaviours, used);
        for _ in 1..self.iterations {
            let capsules = export_step(graph, behaviours, &logits, &map);
            let directions = graph.node("MatMul", &[&capsules, &back]);
            let directions = graph.transpose(&directions);
            let agreement = graph.node("MatMul", &[behaviours, &directions]);
            logits = graph.node("Add", &[&logits, &agreement]);
        }
        export_step(graph, behaviours, &logits, &map)
    }

    /// `[batch, length, interests]`.
    fn export_first_logits(&self, graph: &mut Graph, behaviours: &str, used: &str) -> String {
        let start = graph.matrix(&self.start.t().to_owned());
        let products = graph.node("MatMul", &[behaviours, &start]);
        let (norm, shortest) = (graph.norm(behaviours), graph.scalar(SHORTEST));
        let norm = graph.node("Max", &[&norm, &shortest]);
        let cosines = graph.node("Div", &[&products, &norm]);
        let (one, never) = (graph.scalar(1.0), graph.scalar(NEVER));
        let unused = graph.node("Sub", &[&one, used]);
        let penalty = graph.node("Mul", &[&unused, &never]);
        let penalty = graph.reshape(&penalty, &[-1, 1, to_i64(self.start.nrows())]);
        graph.node("Add", &[&cosines, &penalty])
    }
}

/// `squash(softmax(logits)ᵀ · behaviours · S)`.
fn export_step(graph: &mut Graph, behaviours: &str, logits: &str, map: &str) -> String {
    let weights = graph.softmax(logits);
    let weights = graph.transpose(&weights);
    let sums = graph.node("MatMul", &[&weights, behaviours]);
    let mapped = graph.node("MatMul", &[&sums, map]);
    Layer::<f32>::export(&Squash, graph, &mapped)
}
