//! Changes an exported network as somebody who tampers with the file would.
//!
//! A protobuf message that is written after another of its kind is merged into it: lists are
//! joined. So nodes are added to a graph by writing a second graph with only them.

const MODEL_GRAPH: u32 = 7;
const GRAPH_NODE: u32 = 1;
const GRAPH_INITIALISER: u32 = 5;
const NODE_INPUT: u32 = 1;
const NODE_OUTPUT: u32 = 2;
const NODE_NAME: u32 = 3;
const NODE_OPERATOR: u32 = 4;
const TENSOR_TYPE: u32 = 2;
const TENSOR_FLOATS: u32 = 4;
const TENSOR_NAME: u32 = 8;
const FLOAT: u32 = 1;

/// The network with the named outputs multiplied by `factor`, and at most 1.
pub(crate) fn scale_outputs(model: &[u8], outputs: &[&str], factor: f32) -> Vec<u8> {
    let mut model = model.to_vec();
    let mut graph = [tensor("factor", factor), tensor("one", 1.0)].concat();
    for output in outputs {
        let inner = rename(&mut model, output);
        let scaled = format!("{output}_scaled");
        graph.extend(node("Mul", [&inner, "factor"], &scaled));
        graph.extend(node("Min", [&scaled, "one"], output));
    }
    model.extend(field(MODEL_GRAPH, &graph));
    model
}

/// Gives what the node `output/<name>` makes another name of the same length.
fn rename(model: &mut [u8], name: &str) -> String {
    let inner = name.to_uppercase();
    let written = |output: &str| {
        let node = format!("output/{name}");
        [field(NODE_OUTPUT, output.as_bytes()), field(NODE_NAME, node.as_bytes())].concat()
    };
    let (from, to) = (written(name), written(&inner));
    let places: Vec<usize> = model
        .windows(from.len())
        .enumerate()
        .filter(|(_, w)| *w == from)
        .map(|(at, _)| at)
        .collect();
    assert_eq!(places.len(), 1, "the network writes {name} in one node");
    model[places[0]..][..to.len()].copy_from_slice(&to);
    inner
}

fn node(operator: &str, inputs: [&str; 2], output: &str) -> Vec<u8> {
    let mut node: Vec<u8> =
        inputs.iter().flat_map(|input| field(NODE_INPUT, input.as_bytes())).collect();
    node.extend(field(NODE_OUTPUT, output.as_bytes()));
    node.extend(field(NODE_OPERATOR, operator.as_bytes()));
    field(GRAPH_NODE, &node)
}

/// A scalar.
fn tensor(name: &str, value: f32) -> Vec<u8> {
    let mut tensor = [varint(TENSOR_TYPE << 3), varint(FLOAT)].concat();
    tensor.extend(field(TENSOR_FLOATS, &value.to_le_bytes()));
    tensor.extend(field(TENSOR_NAME, name.as_bytes()));
    field(GRAPH_INITIALISER, &tensor)
}

/// A field that holds bytes: wire type 2.
fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [varint(number << 3 | 2), varint(length), bytes.to_vec()].concat()
}

fn varint(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}
