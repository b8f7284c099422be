use std::collections::BTreeMap;

use ndarray::{ArrayD, IxDyn};
use safetensors::{
    Dtype,
    tensor::{SafeTensors, TensorView},
};

use crate::BundleError;

/// A dense array of one of the two element types that the models use.
#[derive(Debug, Clone, PartialEq)]
pub enum Tensor {
    F32(ArrayD<f32>),
    I64(ArrayD<i64>),
}

/// Arrays by name.
pub type Tensors = BTreeMap<String, Tensor>;

impl Tensor {
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::F32(array) => array.shape(),
            Self::I64(array) => array.shape(),
        }
    }

    /// The length of the first axis; 0 for a scalar.
    pub fn rows(&self) -> usize {
        self.shape().first().copied().unwrap_or(0)
    }

    pub fn as_f32(&self) -> Option<&ArrayD<f32>> {
        match self {
            Self::F32(array) => Some(array),
            Self::I64(_) => None,
        }
    }

    pub fn as_i64(&self) -> Option<&ArrayD<i64>> {
        match self {
            Self::I64(array) => Some(array),
            Self::F32(_) => None,
        }
    }

    fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::I64(_) => Dtype::I64,
        }
    }

    /// The elements in row-major order, little-endian.
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(array) => array.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::I64(array) => array.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }
}

impl From<ArrayD<f32>> for Tensor {
    fn from(array: ArrayD<f32>) -> Self {
        Self::F32(array)
    }
}

impl From<ArrayD<i64>> for Tensor {
    fn from(array: ArrayD<i64>) -> Self {
        Self::I64(array)
    }
}

/// Encodes as safetensors.
pub(crate) fn encode(tensors: &Tensors) -> Result<Vec<u8>, BundleError> {
    let bytes: Vec<Vec<u8>> = tensors.values().map(Tensor::to_bytes).collect();
    let views: Result<Vec<_>, _> = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, tensor), bytes)| {
            let view = TensorView::new(tensor.dtype(), tensor.shape().to_vec(), bytes)?;
            Ok((name, view))
        })
        .collect();
    views.and_then(|views| safetensors::serialize(views, None)).map_err(refuse)
}

/// Decodes safetensors; element types other than F32 and I64 are refused.
pub(crate) fn decode(bytes: &[u8]) -> Result<Tensors, BundleError> {
    let file = SafeTensors::deserialize(bytes).map_err(refuse)?;
    file.iter().map(|(name, view)| Ok((name.to_owned(), decode_one(name, &view)?))).collect()
}

fn decode_one(name: &str, view: &TensorView<'_>) -> Result<Tensor, BundleError> {
    let shape = IxDyn(view.shape());
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => {
            let values = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            ArrayD::from_shape_vec(shape, values.collect()).map(Tensor::F32).map_err(refuse)
        }
        Dtype::I64 => {
            let values = bytes.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes));
            ArrayD::from_shape_vec(shape, values.collect()).map(Tensor::I64).map_err(refuse)
        }
        other => Err(refuse(format_args!("tensor {name} is {other:?}, not F32 or I64"))),
    }
}

fn refuse(reason: impl std::fmt::Display) -> BundleError {
    BundleError::BadTensors { reason: reason.to_string() }
}
