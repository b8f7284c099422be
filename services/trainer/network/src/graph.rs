//! An ONNX graph under construction.

mod proto {
    #![allow(clippy::all, unreachable_pub, missing_docs, dead_code)]
    include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
}

use ndarray::Array2;
use prost::Message;

use self::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
    attribute_proto::AttributeType,
    tensor_proto::DataType,
    tensor_shape_proto::{Dimension, dimension},
    type_proto,
};
use crate::{error::NetworkError, real::Real};

const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;
/// Name of the dynamic first axis.
const BATCH: &str = "batch";
/// The longest message that protobuf allows.
const LONGEST: usize = 0x7fff_ffff;

/// Nodes and weights, in the order they were added: ONNX asks for topological order.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    graph: GraphProto,
    names: usize,
}

impl Graph {
    /// An input `[batch, columns]` of ids.
    pub(crate) fn ids_input(&mut self, name: &str, columns: usize) -> String {
        self.graph.input.push(value_info(name, DataType::Int64, &[columns]));
        name.to_owned()
    }

    /// An input `[batch, columns]` of numbers.
    pub(crate) fn dense_input(&mut self, name: &str, columns: usize) -> String {
        self.graph.input.push(value_info(name, DataType::Float, &[columns]));
        name.to_owned()
    }

    /// Gives a value a name outside the graph: `[batch, columns]`, or `[batch]` for `None`.
    pub(crate) fn output(&mut self, name: &str, value: &str, columns: Option<usize>) {
        self.output_of(name, value, &Vec::from_iter(columns));
    }

    /// The same for `[batch, lengths…]`.
    pub(crate) fn output_of(&mut self, name: &str, value: &str, lengths: &[usize]) {
        self.graph.output.push(value_info(name, DataType::Float, lengths));
        self.graph.node.push(NodeProto {
            input: vec![value.to_owned()],
            output: vec![name.to_owned()],
            name: format!("output/{name}"),
            op_type: "Identity".into(),
            attribute: Vec::new(),
        });
    }

    /// A node with one output and no attributes.
    pub(crate) fn node(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.node_with(operator, inputs, Vec::new())
    }

    /// Rows or elements of `data` at `indices`.
    pub(crate) fn gather(&mut self, data: &str, indices: &str, axis: i64) -> String {
        self.node_with("Gather", &[data, indices], vec![integer("axis", axis)])
    }

    /// `[batch, a]`, `[batch, b]`, … to `[batch, a + b + …]`.
    pub(crate) fn concat(&mut self, parts: &[String]) -> String {
        match parts {
            [part] => part.clone(),
            _ => {
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                self.node_with("Concat", &parts, vec![integer("axis", 1)])
            }
        }
    }

    /// A reduction of axis 1 that takes its axes as an attribute; `[batch, n]` to `[batch, 1]`.
    pub(crate) fn reduce(&mut self, operator: &str, input: &str) -> String {
        let axes = AttributeProto {
            name: "axes".into(),
            ints: vec![1],
            r#type: AttributeType::Ints.into(),
            ..AttributeProto::default()
        };
        self.node_with(operator, &[input], vec![axes, integer("keepdims", 1)])
    }

    /// The sum over axis 1, which stays with length 1 if asked to.
    pub(crate) fn sum(&mut self, input: &str, keep: bool) -> String {
        let axes = self.integers(&[1], &[1]);
        self.node_with("ReduceSum", &[input, &axes], vec![integer("keepdims", i64::from(keep))])
    }

    /// Another shape for the same cells; -1 takes what is left.
    pub(crate) fn reshape(&mut self, input: &str, shape: &[i64]) -> String {
        let shape = self.integers(&[shape.len()], shape);
        self.node("Reshape", &[input, &shape])
    }

    /// The L2 norm over the last axis, which stays with length 1.
    pub(crate) fn norm(&mut self, input: &str) -> String {
        let axes = AttributeProto {
            name: "axes".into(),
            ints: vec![-1],
            r#type: AttributeType::Ints.into(),
            ..AttributeProto::default()
        };
        self.node_with("ReduceL2", &[input], vec![axes, integer("keepdims", 1)])
    }

    /// Probabilities along the last axis.
    pub(crate) fn softmax(&mut self, input: &str) -> String {
        self.node_with("Softmax", &[input], vec![integer("axis", -1)])
    }

    /// `[batch, a, b]` to `[batch, b, a]`.
    pub(crate) fn transpose(&mut self, input: &str) -> String {
        let order = AttributeProto {
            name: "perm".into(),
            ints: vec![0, 2, 1],
            r#type: AttributeType::Ints.into(),
            ..AttributeProto::default()
        };
        self.node_with("Transpose", &[input], vec![order])
    }

    /// `[batch, n, a]` and `[batch, b]` to `[batch, n, a + b]`: the second beside each of the `n`.
    pub(crate) fn beside(&mut self, left: &str, right: &str, n: usize, b: usize) -> String {
        let axis = self.integers(&[1], &[1]);
        let right = self.node("Unsqueeze", &[right, &axis]);
        let shape = self.integers(&[3], &[1, to_i64(n), to_i64(b)]);
        let right = self.node("Expand", &[&right, &shape]);
        self.node_with("Concat", &[left, &right], vec![integer("axis", 2)])
    }

    /// Ids as numbers.
    pub(crate) fn cast_to_float(&mut self, input: &str) -> String {
        let to = integer("to", i64::from(i32::from(DataType::Float)));
        self.node_with("Cast", &[input], vec![to])
    }

    /// A constant matrix.
    pub(crate) fn matrix<T: Real>(&mut self, matrix: &Array2<T>) -> String {
        let shape = [matrix.nrows(), matrix.ncols()];
        self.floats(&shape, matrix.iter().map(|value| value.to_single()))
    }

    /// A constant number.
    pub(crate) fn scalar(&mut self, value: f32) -> String {
        self.floats(&[], std::iter::once(value))
    }

    /// A constant of numbers in row-major order.
    pub(crate) fn floats(&mut self, shape: &[usize], values: impl Iterator<Item = f32>) -> String {
        let raw_data = values.flat_map(f32::to_le_bytes).collect();
        self.constant(DataType::Float, shape, raw_data)
    }

    /// A constant of integers in row-major order.
    pub(crate) fn integers(&mut self, shape: &[usize], values: &[i64]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(DataType::Int64, shape, raw_data)
    }

    /// The model's bytes.
    pub(crate) fn finish(mut self, name: &str) -> Result<Vec<u8>, NetworkError> {
        self.graph.name = name.to_owned();
        let model = ModelProto {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            metadata_props: vec![StringStringEntryProto {
                key: "model".into(),
                value: name.to_owned(),
            }],
        };
        match model.encoded_len() {
            bytes if bytes > LONGEST => Err(NetworkError::TooLarge { bytes }),
            _ => Ok(model.encode_to_vec()),
        }
    }

    fn node_with(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attribute: Vec<AttributeProto>,
    ) -> String {
        let output = self.name(operator);
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![output.clone()],
            name: output.clone(),
            op_type: operator.to_owned(),
            attribute,
        });
        output
    }

    fn constant(&mut self, data_type: DataType, shape: &[usize], raw_data: Vec<u8>) -> String {
        let name = self.name("constant");
        self.graph.initializer.push(TensorProto {
            dims: shape.iter().map(|&length| to_i64(length)).collect(),
            data_type: data_type.into(),
            name: name.clone(),
            raw_data,
        });
        name
    }

    /// A name that no input or output has: those are single words, or start with `bag.`.
    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("node/{}/{kind}", self.names)
    }
}

/// A length or a row number, as ONNX counts.
pub(crate) fn to_i64(length: usize) -> i64 {
    i64::try_from(length).expect("an array has fewer than 2^63 elements")
}

fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        i: Some(value),
        r#type: AttributeType::Int.into(),
        ..AttributeProto::default()
    }
}

fn value_info(name: &str, data_type: DataType, lengths: &[usize]) -> ValueInfoProto {
    let batch = dimension::Value::DimParam(BATCH.to_owned());
    let lengths = lengths.iter().map(|&length| dimension::Value::DimValue(to_i64(length)));
    let dimensions = std::iter::once(batch).chain(lengths);
    let dim = dimensions.map(|value| Dimension { value: Some(value) }).collect();
    let tensor =
        type_proto::Tensor { elem_type: data_type.into(), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)) }),
    }
}
