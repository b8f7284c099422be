//! Putting requests together along the first axis, and taking answers apart.

use ndarray::{ArrayD, ArrayViewD, Axis, Slice, concatenate};
use tributary_bundle::{Tensor, Tensors};

use crate::InferenceError;

/// One batch of all requests, which have the same inputs with equally shaped rows.
pub(crate) fn join(requests: &[&Tensors]) -> Tensors {
    let Some(first) = requests.first() else { return Tensors::new() };
    let joined = |name: &String| match &first[name] {
        Tensor::F32(_) => Tensor::F32(stack(requests.iter().filter_map(|one| one[name].as_f32()))),
        Tensor::I64(_) => Tensor::I64(stack(requests.iter().filter_map(|one| one[name].as_i64()))),
    };
    first.keys().map(|name| (name.clone(), joined(name))).collect()
}

fn stack<'a, T: Clone + 'a>(parts: impl Iterator<Item = &'a ArrayD<T>>) -> ArrayD<T> {
    let views: Vec<ArrayViewD<'_, T>> = parts.map(|part| part.view()).collect();
    concatenate(Axis(0), &views).expect("requests of a batch have rows of the same shape")
}

/// The answer of each request, given how many rows each one had.
pub(crate) fn split(outputs: &Tensors, rows: &[usize]) -> Result<Vec<Tensors>, InferenceError> {
    let total: usize = rows.iter().sum();
    if let Some((name, tensor)) = outputs.iter().find(|(_, tensor)| tensor.rows() != total) {
        let (name, found) = (name.clone(), tensor.shape().to_vec());
        return Err(InferenceError::UnsplitOutput { name, rows: total, found });
    }
    let mut start = 0;
    let mut cut = |length: &usize| {
        let slice = Slice::from(start..start + length);
        start += length;
        outputs.iter().map(|(name, tensor)| (name.clone(), part(tensor, slice))).collect()
    };
    Ok(rows.iter().map(&mut cut).collect())
}

fn part(tensor: &Tensor, slice: Slice) -> Tensor {
    match tensor {
        Tensor::F32(array) => Tensor::F32(array.slice_axis(Axis(0), slice).to_owned()),
        Tensor::I64(array) => Tensor::I64(array.slice_axis(Axis(0), slice).to_owned()),
    }
}
