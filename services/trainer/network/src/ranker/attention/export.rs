//! The ONNX nodes of the attention.

use super::{Attention, AttentionWeights};
use crate::{
    embedding::PairNodes,
    graph::{Graph, to_i64},
    layer::Layer,
    real::Real,
};

/// The score of padding before the softmax: its weight underflows to 0 beside any entry's.
const ABSENT: f32 = -1e9;

impl<T: Real> Attention<T> {
    /// Names the weighted sums `[batch, dimension]`.
    ///
    /// Padding is a zero vector, which adds nothing whatever its weight; that also answers an
    /// empty sequence, where the softmax spreads its weights over padding alone.
    pub(in crate::ranker) fn export(&self, graph: &mut Graph, nodes: &PairNodes) -> String {
        let bag = &nodes.bag;
        let scores = self.export_scores(graph, nodes);
        let weights = match self.config.weights {
            AttentionWeights::Raw => scores,
            AttentionWeights::Softmax => {
                let (present, absent) = (bag.export_present(graph), graph.scalar(ABSENT));
                let scores = graph.node("Where", &[&present, &scores, &absent]);
                graph.softmax(&scores)
            }
        };
        let weights = graph.reshape(&weights, &[-1, to_i64(self.length), 1]);
        let weighted = graph.node("Mul", &[&bag.vectors, &weights]);
        graph.sum(&weighted, false)
    }

    /// `[batch, length]`.
    fn export_scores(&self, graph: &mut Graph, PairNodes { bag, target }: &PairNodes) -> String {
        let product = graph.node("Mul", &[&bag.vectors, target]);
        let history = self.history.export(graph, &bag.vectors);
        let product = self.product.export(graph, &product);
        let entries = graph.node("Add", &[&history, &product]);
        // Layers with a bias take matrices only.
        let target = graph.reshape(target, &[-1, to_i64(self.dimension)]);
        let target = self.target.export(graph, &target);
        let width = to_i64(self.width);
        let target = graph.reshape(&target, &[-1, 1, width]);
        let sum = graph.node("Add", &[&entries, &target]);
        let sum = graph.reshape(&sum, &[-1, width]);
        let scores = self.rest.export(graph, &sum);
        graph.reshape(&scores, &[-1, to_i64(self.length)])
    }
}
