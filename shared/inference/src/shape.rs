use std::collections::BTreeMap;

use ort::{
    session::Session,
    value::{Outlet, TensorElementType, ValueType},
};
use tributary_bundle::{Tensor, Tensors};

use crate::InferenceError;

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    F32,
    I64,
}

/// An input or output of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub name: String,
    pub element: Element,
    /// Lengths of the axes; `None` where any length will do. The first axis counts rows.
    pub shape: Vec<Option<usize>>,
}

/// Inputs and outputs of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
}

impl Signature {
    pub(crate) fn of(session: &Session) -> Result<Self, InferenceError> {
        let ports = |what, outlets: &[Outlet]| -> Result<Vec<Port>, InferenceError> {
            outlets.iter().map(|outlet| Port::of(what, outlet)).collect()
        };
        Ok(Self {
            inputs: ports("input", session.inputs())?,
            outputs: ports("output", session.outputs())?,
        })
    }

    /// Checks names, element types and shapes; gives the number of rows.
    pub(crate) fn check(&self, tensors: &Tensors) -> Result<usize, InferenceError> {
        if let Some(name) = tensors.keys().find(|name| self.input(name).is_none()) {
            let known: Vec<&str> = self.inputs.iter().map(|port| port.name.as_str()).collect();
            let known = known.join(", ");
            return Err(InferenceError::UnknownInput { name: name.clone(), known });
        }
        let mut rows = None;
        for port in &self.inputs {
            let name = &port.name;
            let missing = || InferenceError::MissingInput { name: name.clone() };
            let tensor = tensors.get(name).ok_or_else(missing)?;
            port.check(tensor)?;
            let (found, expected) = (tensor.rows(), *rows.get_or_insert(tensor.rows()));
            if found != expected {
                return Err(InferenceError::UnevenRows { name: name.clone(), expected, found });
            }
        }
        rows.filter(|rows| *rows > 0).ok_or(InferenceError::NoRows)
    }

    fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|port| port.name == name)
    }
}

impl Port {
    fn of(what: &'static str, outlet: &Outlet) -> Result<Self, InferenceError> {
        let name = outlet.name().to_owned();
        let unsupported = |name: &str| InferenceError::Unsupported {
            what,
            name: name.to_owned(),
            kind: outlet.dtype().to_string(),
        };
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
            return Err(unsupported(&name));
        };
        let element = match ty {
            TensorElementType::Float32 => Element::F32,
            TensorElementType::Int64 => Element::I64,
            _ => return Err(unsupported(&name)),
        };
        // ONNX Runtime gives -1 for an axis of any length.
        let shape = shape.iter().map(|length| usize::try_from(*length).ok()).collect();
        Ok(Self { name, element, shape })
    }

    fn check(&self, tensor: &Tensor) -> Result<(), InferenceError> {
        let name = self.name.clone();
        let (expected, found) = (self.element, element(tensor));
        if expected != found {
            return Err(InferenceError::WrongElement { name, expected, found });
        }
        let found = tensor.shape();
        let fits = !found.is_empty()
            && found.len() == self.shape.len()
            && self
                .shape
                .iter()
                .zip(found)
                .all(|(port, axis)| port.is_none_or(|port| port == *axis));
        match fits {
            true => Ok(()),
            false => {
                let expected = self.shape_text();
                Err(InferenceError::WrongShape { name, expected, found: found.to_vec() })
            }
        }
    }

    fn shape_text(&self) -> String {
        let axes = self.shape.iter();
        let axes = axes.map(|axis| axis.map_or_else(|| "?".to_owned(), |axis| axis.to_string()));
        format!("[{}]", axes.collect::<Vec<_>>().join(", "))
    }
}

pub(crate) fn element(tensor: &Tensor) -> Element {
    match tensor {
        Tensor::F32(_) => Element::F32,
        Tensor::I64(_) => Element::I64,
    }
}

/// The lengths of all axes but the first, by input: equal for requests that can be one batch.
pub(crate) fn row_shapes(tensors: &Tensors) -> BTreeMap<&str, &[usize]> {
    tensors.iter().map(|(name, tensor)| (name.as_str(), &tensor.shape()[1..])).collect()
}
